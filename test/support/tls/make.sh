#!/usr/bin/env bash
# Makes the key pairs of the tests about reloading and client certificates, with OpenSSL 3. Run by hand, once.
set -eu
cd "$(dirname "$0")"
days=36500
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# root NAME SUBJECT: a certificate authority
root() {
  openssl ecparam -name prime256v1 -genkey -noout -out "$1-key.pem"
  openssl req -x509 -new -key "$1-key.pem" -days $days -subj "/CN=$2" -out "$1-cert.pem"
}

# leaf NAME SUBJECT EXTENSIONS: a certificate signed by that authority
leaf() {
  openssl ecparam -name prime256v1 -genkey -noout -out "$1-key.pem"
  openssl req -new -key "$1-key.pem" -subj "/CN=$2" -out "$work/$1.csr"
  printf '%s\n' "$3" > "$work/$1.ext"
  openssl x509 -req -in "$work/$1.csr" -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial \
    -days $days -extfile "$work/$1.ext" -out "$1-cert.pem"
}

root ca 'Spillway tests'
names='subjectAltName=DNS:localhost,IP:127.0.0.1'
leaf server localhost "$names"
leaf server-next localhost "$names"
leaf other-name engines.example 'subjectAltName=DNS:engines.example'
leaf client router 'extendedKeyUsage=clientAuth'
# The authority signs no further certificates.
rm -f ca-key.pem ca-cert.srl
root stranger stranger
