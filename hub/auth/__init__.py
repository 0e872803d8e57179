"""User authentication: OAuth providers, LDAP, PAM, periodic revalidation and account binding."""
