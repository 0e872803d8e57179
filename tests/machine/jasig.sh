# shellcheck shell=bash
# shellcheck disable=SC2154 # machine and state are prepare's
# Jasig CAS 3.5.2 (2013) for the tests, the last line with SAML 1.1 only for attributes, in Debian's Tomcat 9; sourced by
# prepare. The folder contains the unpacked web application; tests/support/cas/jasig_cas.py starts it.

readonly JASIG_VERSION=3.5.2
readonly JASIG_WAR_SHA256=4e1f0e1588c76e218ab365935f5b6821f7ade78c1f46571995eab469fc968668
# The web application's own weaver, 1.6.10, cannot read classes of Java 9 and later.
readonly WEAVER_VERSION=1.9.22
readonly WEAVER_SHA256=612cc58624431f70ad34e07545bb6cb843620a00c7c681b364be7c04ef99c3b5

prepare_jasig() {
  local place="$state/jasig-$JASIG_VERSION-weaver-$WEAVER_VERSION" work
  local war="cas-server-webapp-$JASIG_VERSION.war" weaver="aspectjweaver-$WEAVER_VERSION.jar"
  if [ -f "$place/ready" ] && [ -e /usr/share/java/tomcat9-catalina.jar ]; then
    say "jasig: Jasig CAS $JASIG_VERSION is installed"
    return
  fi
  one_at_a_time
  if ! command -v mvn >/dev/null || ! [ -e /usr/share/java/tomcat9-catalina.jar ]; then
    need_debian_root "Maven or Tomcat 9" "Maven 3 and libtomcat9-java"
    install_packages maven libtomcat9-java
  fi
  choose_python
  rm -rf "$state"/jasig.?????? # left by an interrupted run
  work=$(mktemp -d "$state/jasig.XXXXXX")
  say "jasig: Maven fetches Jasig CAS $JASIG_VERSION (34 MB)"
  quietly jasig-maven mvn --batch-mode --no-transfer-progress --file "$machine/jasig/pom.xml" \
    "-Dmaven.repo.local=$work/repository" "-DoutputDirectory=$work" org.apache.maven.plugins:maven-dependency-plugin:copy
  sha256sum --check --status <<<"$JASIG_WAR_SHA256  $work/$war
$WEAVER_SHA256  $work/$weaver" ||
    die "the download of Maven is not the released Jasig CAS $JASIG_VERSION (sha256 differs): do not use that repository."
  quietly jasig-unpack "$python" -m zipfile -e "$work/$war" "$work/webapp"
  rm "$work"/webapp/WEB-INF/lib/aspectj*.jar
  mv "$work/$weaver" "$work/webapp/WEB-INF/lib/"
  rm -rf "${work:?}/$war" "$work/repository"
  touch "$work/ready"
  rm -rf "$place"
  chmod 755 "$work"
  mv "$work" "$place"
  say "jasig: Jasig CAS $JASIG_VERSION installed"
}
