if test "$SSL_CERT_FILE" = "$CONDA_PREFIX/ssl/cacert.pem"
    set -e SSL_CERT_FILE
end
if test "$PIP_CERT" = "$CONDA_PREFIX/ssl/cacert.pem"
    set -e PIP_CERT
end
if test "$TERMINFO_DIRS" = "$CONDA_PREFIX/${{ debian }}/usr/lib/terminfo"
    set -e TERMINFO_DIRS
end
