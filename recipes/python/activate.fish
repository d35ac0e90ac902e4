# See python.sh beside this file.
if test -z "$SSL_CERT_FILE" -a -z "$SSL_CERT_DIR" -a ! -e /usr/lib/ssl/cert.pem \
        -a ! -e /usr/lib/ssl/certs/ca-certificates.crt
    set -gx SSL_CERT_FILE "$CONDA_PREFIX/ssl/cacert.pem"
end
if test -z "$PIP_CERT" -a ! -e /etc/ssl/certs/ca-certificates.crt
    set -gx PIP_CERT "$CONDA_PREFIX/ssl/cacert.pem"
end
if test -z "$TERMINFO_DIRS" -a ! -e /lib/terminfo/x/xterm -a ! -e /usr/share/terminfo/x/xterm
    set -gx TERMINFO_DIRS "$CONDA_PREFIX/${{ debian }}/usr/lib/terminfo"
end
