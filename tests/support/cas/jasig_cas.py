"""A real Jasig CAS 3.5 in Debian's Tomcat 9 over https, installed by `tests/machine/prepare jasig`."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import requests

from tests.machine.status import jasig_webapp
from tests.support.bridge.certificate_authority import KEYSTORE_PASSWORD
from tests.support.cas.cas_process import CasProcess
from tests.support.cas.real_cas import KnownUser, LogoutChannel, service_pattern

# Its Spring of 2012 opens classes of Java by reflection.
OPENED = tuple(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "util", "io"))
JARS = "/usr/share/java"

_SERVER_XML = """\
<Server port="-1">
  <Service name="Catalina">
    <Connector port="{port}" address="127.0.0.1" SSLEnabled="true" scheme="https" secure="true">
      <SSLHostConfig>
        <Certificate certificateKeystoreFile="{keystore}" certificateKeystoreType="PKCS12"
          certificateKeystorePassword="{password}"/>
      </SSLHostConfig>
    </Connector>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="none" autoDeploy="false">
        <Context path="/cas" docBase="{webapp}">
          <Resources>
            <PreResources className="org.apache.catalina.webresources.DirResourceSet" base="{overlay}" webAppMount="/"/>
          </Resources>
        </Context>
      </Host>
    </Engine>
  </Service>
</Server>
"""
_WEB_XML = """\
<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="4.0">
  <servlet>
    <servlet-name>default</servlet-name>
    <servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class>
  </servlet>
  <servlet>
    <servlet-name>jsp</servlet-name>
    <servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class>
  </servlet>
  <servlet-mapping><servlet-name>default</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
  <servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>
</web-app>
"""
# Its registry has no remote interface. Of each service, only the callback's path differs.
_REGISTER_JSP = """\
<%@ page contentType="text/plain" import="org.jasig.cas.services.*,
  org.springframework.web.context.support.WebApplicationContextUtils" %><%
ServicesManager services = (ServicesManager) WebApplicationContextUtils
  .getRequiredWebApplicationContext(application).getBean("servicesManager");
String name = request.getParameter("name"), pattern = request.getParameter("pattern");
if (pattern == null) {
  for (RegisteredService each : services.getAllServices())
    if (each.getName().equals(name)) services.delete(each.getId());
} else {
  RegexRegisteredService service = new RegexRegisteredService();
  service.setServiceId(pattern);
  service.setName(name);
  service.setDescription(name);
  service.setIgnoreAttributes(true);
  services.save(service);
}
%>done"""


class JasigCas(CasProcess):
    """A Jasig CAS. Its user's password is the user name."""

    kind, version = "Jasig CAS", "3.5.2"
    # serviceValidate releases no attributes, and there is no /p3/.
    protocols = ("saml1.1", "2.0", "1.0")
    attribute_protocols = ("saml1.1",)
    speaks_json = False
    logout_channels = ("at the service URL",)
    names_every_ticket = True
    spends_tickets_of_other_services = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, user=KnownUser(password=KnownUser.name))

    def prepare_command(self) -> list[str]:
        webapp = jasig_webapp()
        assert webapp is not None, "tests/machine/prepare jasig"
        self._write_configuration(webapp)
        jars = [str(jar) for jar in Path(JARS).glob("tomcat9-*.jar")]
        return [
            "java",
            *self.java_options(memory=("128m", "384m")),
            *OPENED,
            f"-Dcatalina.base={self._folder}",
            "-cp",
            ":".join([*jars, f"{JARS}/eclipse-jdt-core.jar"]),
            "org.apache.catalina.startup.Bootstrap",
            "start",
        ]

    def register(self, issuer: str, *, channel: LogoutChannel = "at the logout URL", exactly: bool = False) -> None:
        """Register a bridge. Its logout requests always go to the service URL."""
        assert channel != "by the browser", "it has no front channel"
        self._tell(name=issuer, pattern=service_pattern(issuer, exactly=exactly).replace("\\-", "-"))

    def unregister(self, issuer: str) -> None:
        self._tell(name=issuer)

    def _tell(self, **parameters: str) -> None:
        answer = requests.get(f"{self.url}/register.jsp", params=parameters, verify=str(self.ca_file), timeout=30)
        assert answer.text.strip() == "done", answer.text

    def _write_configuration(self, webapp: Path) -> None:
        conf, overlay = self._folder / "conf", self._folder / "overlay"
        (overlay / "WEB-INF").mkdir(parents=True)
        conf.mkdir()
        (conf / "web.xml").write_text(_WEB_XML)
        (conf / "server.xml").write_text(
            _SERVER_XML.format(
                port=self.port,
                keystore=self.files.keystore,
                password=KEYSTORE_PASSWORD,
                webapp=webapp,
                overlay=overlay,
            )
        )
        (overlay / "register.jsp").write_text(_REGISTER_JSP)
        (overlay / "WEB-INF" / "cas.properties").write_text(
            (webapp / "WEB-INF" / "cas.properties")
            .read_text(encoding="latin-1")
            .replace("server.name=http://localhost:8080", f"server.name=https://127.0.0.1:{self.port}")
            + "\nst.timeToKillInSeconds=60\ncas.logout.followServiceRedirects=true\n",
            encoding="latin-1",
        )
        beans = (webapp / "WEB-INF" / "deployerConfigContext.xml").read_text(encoding="utf-8")
        entries = "".join(
            f'<entry key="{name}"><list>{"".join(f"<value>{escape(value)}</value>" for value in values)}</list></entry>'
            for name, values in self.user.attributes.items()
        )
        beans, attributes = re.subn(r'(?s)(<property name="backingMap">\s*<map>).*?(</map>)', rf"\1{entries}\2", beans)
        beans, services = re.subn(r"\^\(https\?\|imaps\?\)://\.\*", "^https://nothing.invalid/$", beans)
        assert (attributes, services) == (1, 1)
        (overlay / "WEB-INF" / "deployerConfigContext.xml").write_text(beans, encoding="utf-8")
