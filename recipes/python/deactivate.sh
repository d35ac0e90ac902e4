if [ "${SSL_CERT_FILE:-}" = "${CONDA_PREFIX}/ssl/cacert.pem" ]; then
    unset SSL_CERT_FILE
fi
if [ "${PIP_CERT:-}" = "${CONDA_PREFIX}/ssl/cacert.pem" ]; then
    unset PIP_CERT
fi
if [ "${TERMINFO_DIRS:-}" = "${CONDA_PREFIX}/${{ debian }}/usr/lib/terminfo" ]; then
    unset TERMINFO_DIRS
fi
