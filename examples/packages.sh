# Debian packages, for sourcing: install_packages NAME... installs what is
# missing and does nothing, not even call apt-get, when all is there.

packages_build=(meson ninja-build pkg-config gcc libc6-dev libfuse3-dev
    libglib2.0-dev libssl-dev libgmime-3.0-dev libgsasl-dev libsqlite3-dev
    zlib1g-dev libjson-glib-dev)
packages_server=(dovecot-core dovecot-imapd openssl python3)
packages_mount=(fuse3)
packages_bench=(isync ripgrep tar)
packages_test=(git clang libclang-rt-14-dev llvm clang-format libcmocka-dev
    rsync ripgrep tar findutils grep procps util-linux iproute2 jq
    inotify-tools attr restic borgbackup mutt neomutt aerc maildir-utils
    notmuch mblaze isync strace nano vim ed perl zip unzip
    libglib2.0-bin tmux man-db mandoc zsh fish systemd curl dpkg-dev debhelper
    debootstrap gpg gpg-agent)

missing_packages() {
    local name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" \
            = installed ] || echo "$name"
    done
}

# Never removes a package to make place for another, and never asks.
install_packages() {
    local missing=() apt
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0

    apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120
        -o Dpkg::Options::=--force-confold)
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "These packages are missing, and there is no sudo. As root:" >&2
            echo "  apt-get install ${missing[*]}" >&2
            return 1
        fi
        apt=(sudo "${apt[@]}")
    fi
    echo "Installing ${missing[*]}"
    "${apt[@]}" update </dev/null &&
        "${apt[@]}" install -y --no-install-recommends --no-remove \
            "${missing[@]}" </dev/null
}
