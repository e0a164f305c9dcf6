# Whose client certificates the kubelet believes (the API server's, for logs and exec): the authority that the
# bootstrap kubeconfig names.
set -eu
sed -n 's/.*certificate-authority-data["'\'']*: *["'\'']*\([A-Za-z0-9+/=]*\).*/\1/p' /etc/kubernetes/bootstrap-kubelet.conf |
    base64 --decode > /etc/kubernetes/ca.crt
