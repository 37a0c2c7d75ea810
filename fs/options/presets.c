/* The table of providers.
 *
 * Hosts, ports and what they want for a login are as their help pages have it.
 * max_download and max_upload are what they allow in a day where they say so
 * (Gmail locks an account out for a day that goes beyond), a little less, for
 * other programs use the same account. Whatever stands here can be overruled.
 */
#include "fs/options/presets.h"

#include <string.h>

#define APP_PASSWORD                                                           \
    "use an app password instead of that of the account, made at "

static const FsPreset presets[] = {
    {"gmail", "Gmail", "gmail.com googlemail.com", "imaps://imap.gmail.com/",
     "delete=trash,max_download=2400M,max_upload=480M",
     APP_PASSWORD "https://myaccount.google.com/apppasswords, or give "
                  "token_command=COMMAND"},
    {"outlook", "Outlook.com",
     "outlook.com outlook.de outlook.fr hotmail.com hotmail.de hotmail.fr "
     "hotmail.co.uk live.com live.de live.fr live.co.uk msn.com",
     "imaps://outlook.office365.com/", "auth=xoauth2",
     "Outlook.com takes no passwords: give token_command=COMMAND, and switch "
     "IMAP on in its settings, under POP and IMAP"},
    {"office365", "Microsoft 365", NULL, "imaps://outlook.office365.com/",
     "auth=xoauth2",
     "Microsoft 365 takes no passwords: give token_command=COMMAND, and ask "
     "the administrator whether IMAP is allowed"},
    {"exchange", "Exchange Online", NULL, "imaps://outlook.office365.com/",
     "auth=xoauth2",
     "Exchange Online takes no passwords: give token_command=COMMAND, and ask "
     "the administrator whether IMAP is allowed"},
    {"icloud", "iCloud", "icloud.com me.com mac.com",
     "imaps://imap.mail.me.com/", NULL,
     APP_PASSWORD "https://account.apple.com, under App-Specific Passwords"},
    {"yahoo", "Yahoo",
     "yahoo.com yahoo.de yahoo.fr yahoo.it yahoo.es yahoo.co.uk yahoo.ca "
     "yahoo.co.in yahoo.com.br ymail.com rocketmail.com",
     "imaps://imap.mail.yahoo.com/", "connections=2",
     APP_PASSWORD "https://login.yahoo.com/account/security"},
    {"aol", "AOL", "aol.com aol.de aim.com", "imaps://imap.aol.com/",
     "connections=2", APP_PASSWORD "https://login.aol.com/account/security"},
    {"fastmail", "Fastmail", "fastmail.com fastmail.fm",
     "imaps://imap.fastmail.com/", NULL,
     APP_PASSWORD "https://app.fastmail.com/settings/security/integrations"},
    {"mailbox", "mailbox.org", "mailbox.org", "imaps://imap.mailbox.org/", NULL,
     "check the user, which is the whole address; with two factors an app "
     "password is needed"},
    {"posteo", "Posteo",
     "posteo.de posteo.net posteo.org posteo.eu posteo.at posteo.ch posteo.us",
     "imaps://posteo.de/", NULL,
     "check the user, which is the whole address, and whether access by IMAP "
     "is blocked in the account's settings"},
    {"gmx", "GMX", "gmx.de gmx.net gmx.at gmx.ch gmx.eu gmx.info gmx.org",
     "imaps://imap.gmx.net/", NULL,
     "switch on POP3 and IMAP in the settings of the account at gmx.net"},
    {"gmx.com", "GMX", "gmx.com gmx.us gmx.co.uk gmx.fr gmx.es",
     "imaps://imap.gmx.com/", NULL,
     "switch on POP3 and IMAP in the settings of the account at gmx.com"},
    {"web.de", "WEB.DE", "web.de", "imaps://imap.web.de/", NULL,
     "switch on POP3 and IMAP in the settings of the account at web.de"},
    {"t-online", "Telekom", "t-online.de magenta.de",
     "imaps://secureimap.t-online.de/", NULL,
     "the password is that for e-mail programs, made in the customer centre"},
    {"ionos", "IONOS", NULL, "imaps://imap.ionos.com/", NULL, NULL},
    {"strato", "STRATO", NULL, "imaps://imap.strato.de/", NULL, NULL},
    {"ovh", "OVHcloud", NULL, "imaps://ssl0.ovh.net/", NULL, NULL},
    {"zoho", "Zoho Mail", "zoho.com zohomail.com", "imaps://imap.zoho.com/",
     NULL,
     "switch IMAP on in the settings, and use an app password made at "
     "https://accounts.zoho.com; a domain of your own has the host "
     "imappro.zoho.com, an account in Europe imap.zoho.eu"},
    {"zoho.eu", "Zoho Mail", "zoho.eu zohomail.eu", "imaps://imap.zoho.eu/",
     NULL,
     "switch IMAP on in the settings, and use an app password made at "
     "https://accounts.zoho.eu; a domain of your own has the host "
     "imappro.zoho.eu"},
    {"proton", "Proton Mail Bridge",
     "proton.me protonmail.com protonmail.ch pm.me", "imap://127.0.0.1:1143/",
     NULL,
     "the password is the one that Proton Mail Bridge shows, which must be "
     "running on this machine"},
    {"mailfence", "Mailfence", "mailfence.com", "imaps://imap.mailfence.com/",
     NULL, NULL},
    {"migadu", "Migadu", NULL, "imaps://imap.migadu.com/", NULL, NULL},
    {"purelymail", "Purelymail", "purelymail.com",
     "imaps://imap.purelymail.com/", NULL,
     "with two factors, use an app password"},
    {"runbox", "Runbox", "runbox.com runbox.no", "imaps://mail.runbox.com/",
     NULL, "with two factors, use an app password"},
    {"disroot", "Disroot", "disroot.org", "imaps://disroot.org/", NULL, NULL},
    {"yandex", "Yandex", "yandex.ru yandex.com ya.ru",
     "imaps://imap.yandex.com/", NULL,
     "switch IMAP on in the settings, and use an app password"},
    {"mail.ru", "Mail.ru", "mail.ru bk.ru inbox.ru list.ru",
     "imaps://imap.mail.ru/", NULL,
     "use a password for external applications, made in the settings"},
    {"163", "NetEase 163", "163.com", "imaps://imap.163.com/", NULL,
     "switch IMAP on in the settings, and use the authorisation code that they "
     "show"},
    {"126", "NetEase 126", "126.com", "imaps://imap.126.com/", NULL,
     "switch IMAP on in the settings, and use the authorisation code that they "
     "show"},
    {"qq", "QQ Mail", "qq.com foxmail.com", "imaps://imap.qq.com/", NULL,
     "switch IMAP on in the settings, and use the authorisation code that they "
     "show"},
};

const FsPreset *
fs_preset_find(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(presets); i++)
        if (g_ascii_strcasecmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}

const FsPreset *
fs_preset_of_domain(const char *domain)
{
    g_autofree char *lower = g_ascii_strdown(domain, -1);

    for (guint i = 0; i < G_N_ELEMENTS(presets); i++) {
        g_auto(GStrv) domains = NULL;

        if (presets[i].domains == NULL)
            continue;
        domains = g_strsplit(presets[i].domains, " ", -1);
        if (g_strv_contains((const char *const *)domains, lower))
            return &presets[i];
    }
    return NULL;
}

const char *const *
fs_preset_names(void)
{
    static const char *names[G_N_ELEMENTS(presets) + 1];

    for (guint i = 0; i < G_N_ELEMENTS(presets); i++)
        names[i] = presets[i].name;
    return names;
}
