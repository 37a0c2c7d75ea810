"""Words for the sample mail: people, subjects and sentences in many languages.

Each language lists the charsets its mail comes in, with how the body is encoded
("7bit", "8bit", "quoted-printable", "base64"), as mail programs of the last
thirty years did it.
"""

from typing import NamedTuple


class Language(NamedTuple):
    code: str
    forms: list  # (charset, transfer encoding)
    people: list  # (name, address)
    subjects: list
    sentences: list


QP, B64 = "quoted-printable", "base64"

LANGUAGES = {language.code: language for language in (
    Language(
        "en", [("us-ascii", "7bit"), ("utf-8", "8bit"), ("utf-8", QP)],
        [("Alice Example", "alice@example.org"),
         ("Bob Builder-Smith", "bob@example.com"),
         ("Dr. Carol O’Neill", "carol.oneill@example.net"),
         ("", "noreply@example.com")],
        ["Quarterly report", "Lunch on Thursday?", "Minutes of the meeting",
         "Your order has shipped", "Re-opening the harbour office",
         "Draft of the contract, second round", "Photos from the hike"],
        ["The figures for the third quarter are in the attachment.",
         "Could you look at the second table before tomorrow morning?",
         "We moved the meeting to half past ten because of the trains.",
         "Nothing in this paragraph is important, but it is rather long.",
         "From here on the plan is simple: measure, cut, measure again.",
         "I counted them twice and came to 1,048 both times.",
         "Please do not forward this before Friday.",
         "The boat leaves at seven, whatever the weather says."]),
    Language(
        "de", [("iso-8859-1", QP), ("utf-8", QP), ("windows-1252", "8bit")],
        [("Jürgen Müßig", "juergen@beispiel.example"),
         ("Änne Groß", "aenne.gross@beispiel.example")],
        ["Einladung zum Straßenfest", "Rückfrage zur Abrechnung",
         "Übergabe der Schlüssel am Dienstag", "Entwurf für das Grußwort"],
        ["Über die Höhe der Kosten müssen wir noch sprechen.",
         "Die Schlüssel liegen beim Hausmeister im Erdgeschoß.",
         "Könnten Sie mir bitte die Größe der Bühne nennen?",
         "Schöne Grüße aus dem verregneten Süden.",
         "Das Gespräch dauerte länger, als wir gedacht hatten."]),
    Language(
        "fr", [("iso-8859-15", QP), ("utf-8", B64), ("iso-8859-1", "8bit")],
        [("Hélène Lefèvre", "helene@exemple.example"),
         ("François Dupré", "f.dupre@exemple.example")],
        ["Réunion décalée à mardi", "Où en est le dossier ?",
         "Reçu de votre règlement", "Problème de clé à la gare"],
        ["Le train a été supprimé, nous arriverons après le dîner.",
         "Où avez-vous rangé les clés de la bibliothèque ?",
         "La pièce jointe contient le relevé complet.",
         "Ça ira mieux demain, dès que la neige aura fondu.",
         "Le prix est passé de 40 à 45 euros cet été."]),
    Language(
        "pl", [("iso-8859-2", QP), ("utf-8", "8bit")],
        [("Zażółć Gęślowski", "zazolc@przyklad.example")],
        ["Zaproszenie na święto żniw", "Pytanie o fakturę"],
        ["Proszę o potwierdzenie wpłaty do końca tygodnia.",
         "Łódź wypływa o świcie, nie spóźnij się.",
         "Książki są już spakowane i czekają na półce."]),
    Language(
        "ru", [("koi8-r", "8bit"), ("koi8-r", B64), ("windows-1251", QP),
               ("utf-8", B64)],
        [("Мария Иванова", "maria@primer.example"),
         ("Пётр Щербаков", "petr@primer.example")],
        ["Отчёт за третий квартал", "Встреча перенесена",
         "Счёт на оплату", "Фотографии с дачи"],
        ["Встреча перенесена на четверг из-за снегопада.",
         "Посмотрите, пожалуйста, вторую таблицу до завтра.",
         "Ключи от архива лежат у дежурного на первом этаже.",
         "Цены выросли, но не так сильно, как мы ожидали."]),
    Language(
        "ja", [("iso-2022-jp", "7bit"), ("shift_jis", B64), ("euc-jp", "8bit"),
               ("utf-8", B64)],
        [("山田太郎", "taro@rei.example"), ("佐藤花子", "hanako@rei.example")],
        ["会議の議事録について", "お見積りの件", "写真を送ります"],
        ["お世話になっております。会議の時間が変わりました。",
         "資料を添付しましたのでご確認ください。",
         "明日の朝までに返事をいただけると助かります。",
         "港の事務所は来週から再開する予定です。"]),
    Language(
        "zh", [("gb2312", B64), ("gb18030", QP), ("utf-8", B64)],
        [("王小明", "xiaoming@lizi.example"), ("李娜", "lina@lizi.example")],
        ["季度报告", "会议改到星期四", "您的订单已经发货"],
        ["会议改到星期四上午十点半举行。", "请在明天之前看一下第二张表格。",
         "钥匙放在一楼的办公室里。", "附件里有完整的清单。"]),
    Language(
        "ko", [("euc-kr", B64), ("utf-8", B64)],
        [("김민수", "minsu@yeje.example")],
        ["회의 시간 변경", "사진을 보냅니다"],
        ["회의는 목요일 오전 열 시 반으로 바뀌었습니다.",
         "첨부한 표를 내일까지 확인해 주세요.",
         "열쇠는 일 층 사무실에 있습니다."]),
    Language(
        "ar", [("windows-1256", QP), ("utf-8", B64)],
        [("ليلى حداد", "layla@mithal.example")],
        ["تقرير الربع الثالث", "تأجيل الاجتماع إلى الخميس"],
        ["تم تأجيل الاجتماع إلى يوم الخميس بسبب المطر.",
         "المفاتيح موجودة في المكتب في الطابق الأول.",
         "الرجاء مراجعة الجدول الثاني قبل الغد."]),
    Language(
        "he", [("iso-8859-8", B64), ("utf-8", "8bit")],
        [("נועה כהן", "noa@dugma.example")],
        ["הפגישה נדחתה ליום חמישי", "תמונות מהטיול"],
        ["הפגישה נדחתה ליום חמישי בגלל הגשם.",
         "המפתחות נמצאים במשרד בקומה הראשונה."]),
    Language(
        "el", [("iso-8859-7", QP), ("utf-8", "8bit")],
        [("Ελένη Παπαδοπούλου", "eleni@paradeigma.example")],
        ["Αναφορά τρίτου τριμήνου", "Αλλαγή ώρας συνάντησης"],
        ["Η συνάντηση μεταφέρθηκε για την Πέμπτη το πρωί.",
         "Τα κλειδιά βρίσκονται στο γραφείο του ισογείου.",
         "Το πλοίο φεύγει στις επτά με οποιονδήποτε καιρό."]),
    Language(
        "hi", [("utf-8", B64), ("utf-8", QP)],
        [("अनिता शर्मा", "anita@udaharan.example")],
        ["तीसरी तिमाही की रिपोर्ट", "बैठक का समय बदल गया"],
        ["बैठक अब गुरुवार की सुबह साढ़े दस बजे होगी।",
         "कृपया कल तक दूसरी तालिका देख लीजिए।",
         "चाबियाँ पहली मंज़िल के दफ़्तर में रखी हैं।"]),
)}

EMOJI_SUBJECTS = ["🎉 It is done 🎉", "Ship it 🚢👩‍🚀 now", "❤️‍🔥 1 + 1 = 3️⃣"]

NEWSLETTERS = [
    ("The Tidal Gazette", "gazette@news.example", "Tides and timetables"),
    ("Wochenblick", "post@wochenblick.example", "Die Woche in Zahlen"),
    ("Atelier & Cie", "lettre@atelier.example", "Nos idées du mois"),
]

SHOPS = [("Corner Books", "orders@books.example", "EUR"),
         ("Paper & Ink", "receipts@ink.example", "USD"),
         ("駅前書店", "shop@ekimae.example", "JPY")]

LISTS = {"Lists/harbour-dev": "harbour-dev.lists.example",
         "Lists/announce & news": "announce.lists.example"}
