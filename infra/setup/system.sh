#!/usr/bin/env bash
# What the tests need besides Python packages: real servers, a real browser, fonts for Arabic and emoji.
# Installs them by apt when it may; else names what is missing.
# Arguments: further packages of Debian.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

missing=()
for command in caddy chromium curl haproxy nginx prometheus redis-server; do
  command -v "$command" >/dev/null || missing+=("$command")
done
if command -v dpkg >/dev/null; then
  for package in fonts-noto-core fonts-noto-color-emoji "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
  done
fi
((${#missing[@]})) || exit 0

if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
  echo "system: the tests need these packages: ${missing[*]}" >&2
  echo "system: Debian and Ubuntu: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

echo "system: installing ${missing[*]}"
# Debian starts a server when it is installed; the tests start their own, on loopback and free ports.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --no-install-recommends "${missing[@]}" >/dev/null
