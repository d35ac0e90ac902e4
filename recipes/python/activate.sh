# OpenSSL as Debian builds it looks for certificates below /usr/lib/ssl. Where that is missing, use the environment's
# own, unless the user has chosen. Debian's pip, in fresh virtual environments, looks for one file of its own.
if [ -z "${SSL_CERT_FILE:-}" ] && [ -z "${SSL_CERT_DIR:-}" ] \
    && [ ! -e /usr/lib/ssl/cert.pem ] && [ ! -e /usr/lib/ssl/certs/ca-certificates.crt ]; then
    export SSL_CERT_FILE="${CONDA_PREFIX}/ssl/cacert.pem"
fi
if [ -z "${PIP_CERT:-}" ] && [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then
    export PIP_CERT="${CONDA_PREFIX}/ssl/cacert.pem"
fi
if [ -z "${TERMINFO_DIRS:-}" ] && [ ! -e /lib/terminfo/x/xterm ] && [ ! -e /usr/share/terminfo/x/xterm ]; then
    export TERMINFO_DIRS="${CONDA_PREFIX}/${{ debian }}/usr/lib/terminfo"
fi
