"""Fills the directory of a new domain controller with what tests look at. Usage: seed.py DIR ADDRESS PASSWORD"""

import json
import os
import sys

import ldb
import samba.dckeytab  # noqa: F401 (gives Net its export_keytab)
from samba.auth import system_session
from samba.net import Net
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

folder, address, admin_password = sys.argv[1:]
settings = LoadParm()
settings.load(os.path.join(folder, "smb.conf"))
db = SamDB(url=os.path.join(folder, "private", "sam.ldb"), session_info=system_session(), lp=settings)
base = db.domain_dn()
config = str(db.get_config_basedn())

# Classes and attributes by their schemaIDGUID [MS-ADSC, MS-ADA1, MS-ADA3].
COMPUTER = "bf967a86-0de6-11d0-a285-00aa003049e2"
ACCOUNT_CONTROL = "bf967a68-0de6-11d0-a285-00aa003049e2"
DESCRIPTION = "bf967950-0de6-11d0-a285-00aa003049e2"

workstations, servers = f"OU=Workstations,{base}", f"OU=Servers,{base}"
for unit in (workstations, f"OU=Upstairs,{workstations}", servers):
    db.add({"dn": unit, "objectClass": "organizationalUnit"})


def computer(name, unit, **more):
    """Adds a computer as a join leaves it."""
    db.add({
        "dn": f"CN={name},{unit}", "objectClass": "computer", "sAMAccountName": name + "$",
        "userAccountControl": "4096", "dNSHostName": f"{name.lower()}.{settings.get('realm').lower()}",
        "operatingSystem": "Windows 11 Enterprise", "operatingSystemVersion": "10.0 (26100)", **more,
    })


for number in range(1, 4):
    computer(f"SEED-{number:03}", workstations)
computer("SEED-UP-001", f"OU=Upstairs,{workstations}")
computer("SEED-SRV-001", servers)

# A lock that ends by itself would make a test of it pass for half an hour only. Whoever runs out of tries isn't locked:
# tests with a wrong password are for an account that others use too.
db.modify(ldb.Message.from_dict(db, {"dn": base, "lockoutDuration": "-9223372036854775808", "lockoutThreshold": "0"},
                                ldb.FLAG_MOD_REPLACE))

password = "Svc+" + admin_password


def account(name, **more):
    """Adds a person's account with the one password; returns its SID."""
    dn = f"CN={name},CN=Users,{base}"
    db.newuser(name, password)
    if more:
        db.modify(ldb.Message.from_dict(db, {"dn": dn, **more}, ldb.FLAG_MOD_REPLACE), ["relax:0"])
    return db.schema_format_value("objectSid", db.search(dn, ldb.SCOPE_BASE, attrs=["objectSid"])[0]["objectSid"][0])


account("svc-admin")
db.add_remove_group_members("Domain Admins", ["svc-admin"], add_members_operation=True)
# Its password stays: worlds of tests have another year than this machine.
delegated = account("svc-delegated", userAccountControl="66048").decode()
account("svc-none")
account("svc-disabled", userAccountControl="514")
account("svc-locked", lockoutTime="133500000000000000")
account("svc-expired", accountExpires="133500000000000000")
account("svc-must-change", pwdLastSet="0")
account("svc-at-night", logonHours=b"\0" * 21)
account("svc-elsewhere", userWorkstations="ANOTHER-PC")
# Whoever is in there signs in by Kerberos alone [R: Microsoft Learn, "Protected Users security group"].
protected = account("svc-protected", userAccountControl="66048").decode()
db.add_remove_group_members("Protected Users", ["svc-protected"], add_members_operation=True)
account("svc-rekeyed")

rights = SDUtils(db)
for entry in (f"(OA;CI;DC;{COMPUTER};;{delegated})",
              f"(OA;CIIO;WP;{ACCOUNT_CONTROL};{COMPUTER};{delegated})",
              f"(OA;CIIO;WP;{DESCRIPTION};{COMPUTER};{delegated})"):
    rights.dacl_add_ace(workstations, entry)

# Protected from accidental deletion: what the box of that name sets on an object.
computer("SEED-KEEP", servers)
rights.dacl_prepend_aces(f"CN=SEED-KEEP,{servers}", "(D;;DTSD;;;WD)")
# What the system itself needs, though it is no domain controller.
computer("SEED-CRITICAL", workstations)
db.modify(ldb.Message.from_dict(db, {"dn": f"CN=SEED-CRITICAL,{workstations}", "isCriticalSystemObject": "TRUE"},
                                ldb.FLAG_MOD_REPLACE), ["relax:0"])

# What devices read to become hybrid joined (Microsoft Learn, "Configure hybrid join manually").
services = f"CN=Device Registration Configuration,CN=Services,{config}"
db.add({"dn": services, "objectClass": "container"})
db.add({"dn": f"CN=62a0ff2e-97b9-4513-943f-0d221bd30080,{services}", "objectClass": "serviceConnectionPoint",
        "keywords": ["azureADName:corp.example", "azureADId:3f2c9f6a-58b1-4e0c-8a53-6f1d7d0a7b11"]})

# What a domain controller adds to itself when it runs in earnest, as a service of Samba's that isn't started here.
host = f"dc1.{settings.get('realm').lower()}"
db.modify(ldb.Message.from_dict(db, {"dn": f"CN=DC1,OU=Domain Controllers,{base}", "servicePrincipalName": f"ldap/{host}"},
                                ldb.FLAG_MOD_ADD))

# Keys of accounts, for sign-ins by Kerberos without a password; that of svc-rekeyed is old as soon as it is made.
keytabs = os.path.join(folder, "krb5")
os.mkdir(keytabs, 0o700)
for name in ("svc-delegated", "svc-none", "svc-protected", "svc-rekeyed", "svc-disabled", "svc-expired"):
    Net(None, settings).export_keytab(keytab=os.path.join(keytabs, f"{name}.keytab"), principal=name)
db.setpassword("(sAMAccountName=svc-rekeyed)", "New+" + password, force_change_at_next_login=False)
# A machine whose own realm is another one, and which asks no name server for anything.
realm = settings.get("realm").upper()
with open(os.path.join(keytabs, "krb5.conf"), "w") as out:
    out.write(f"""[libdefaults]
default_realm = ELSEWHERE.TEST
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
[realms]
{realm} = {{
 kdc = {address}
}}
""")

with open(os.path.join(folder, "directory.json"), "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
    json.dump({
        "address": address, "domain": settings.get("realm").lower(), "base": base, "netbios": settings.get("workgroup"),
        "workstations": workstations, "servers": servers, "password": password,
        "ca": os.path.join(folder, "tls", "ca.pem"), "other_ca": os.path.join(folder, "tls", "other.pem"),
        "kerberos": keytabs,
    }, out, indent=1)
