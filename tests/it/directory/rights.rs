//! Effective rights: what is computed is what Samba then allows, over a table of entries.

use std::collections::HashSet;

use ldap3::Mod;
use ldap3::controls::RawControl;
use opsole::model::Sid;
use opsole::port::Directory;
use opsole::winformat::access::{self, ACCOUNT_CONTROL, DESCRIPTION, Target, Token};
use opsole::winformat::descriptor::{self, Ace, Descriptor};
use opsole::winformat::sid;
use uuid::Uuid;

use super::samba::{Admin, samba};

/// `DACL_PRESENT` and self-relative; and protected, so that nothing comes from above.
const CONTROL: u16 = 0x8004;
const PROTECTED: u16 = 0x1000;
const ALLOW: u8 = 0;
const DENY: u8 = 1;
/// `OWNER` and `DACL` of the control that says which parts are meant.
const BOTH: [u8; 5] = [0x30, 3, 2, 1, 5];

fn flags(of: [u8; 5]) -> Vec<RawControl> {
    vec![RawControl { ctype: "1.2.840.113556.1.4.801".to_owned(), crit: true, val: Some(of.to_vec()) }]
}

pub(super) async fn set_descriptor(admin: &mut Admin, dn: &str, descriptor: &Descriptor) {
    let bytes = descriptor.to_bytes().expect("bytes");
    let change = Mod::Replace(b"nTSecurityDescriptor".to_vec(), HashSet::from([bytes]));
    let answer = admin.ldap.with_controls(flags(BOTH)).modify(dn, vec![change]).await;
    answer.expect("an answer").success().expect(dn);
}

pub(super) async fn descriptor_of(admin: &mut Admin, dn: &str) -> Descriptor {
    admin.ldap.with_controls(flags(BOTH));
    let bytes = admin.bytes(dn, "nTSecurityDescriptor").await.expect("a descriptor");
    descriptor::parse(&bytes).expect("a descriptor")
}

/// One row: what it is about, entries on the unit, entries on the computer, who owns the computer.
type Row<'a> = (&'a str, Vec<Ace>, Vec<Ace>, Option<Sid>);

/// Catches rights that are computed otherwise than a domain controller decides: each row is set, computed, and tried.
#[tokio::test]
async fn computed_is_allowed() {
    let Some(samba) = samba("rights, computed and tried") else { return };
    let mut admin = samba.admin().await;
    let unit = admin.unit("Rights", &samba.workstations).await;
    let own_sid = async |admin: &mut Admin, name: &str| -> Sid {
        let dn = format!("CN={name},CN=Users,{}", samba.base);
        sid::from_bytes(&admin.bytes(&dn, "objectSid").await.expect("a SID")).expect("a SID")
    };
    let me = own_sid(&mut admin, "svc-none").await;
    let administrator = own_sid(&mut admin, "svc-admin").await;
    let users: Sid = {
        let text = me.as_str().rsplit_once('-').expect("a SID").0;
        format!("{text}-513").parse().expect("a SID")
    };
    let everyone: Sid = "S-1-1-0".parse().expect("a SID");
    let owner_rights: Sid = "S-1-3-4".parse().expect("a SID");
    let plain = |kind: u8, flags: u8, mask: u32, who: &Sid| Ace::plain(kind, flags, mask, who.clone());
    let of = |kind: u8, flags: u8, mask: u32, object: Option<Uuid>, inheritor: Option<Uuid>| Ace {
        object,
        inheritor,
        ..plain(kind + 5, flags, mask, &me)
    };
    let computer = Some(access::COMPUTER);
    let [control, restrictions] = ACCOUNT_CONTROL.map(Some);
    let [description, _] = DESCRIPTION.map(Some);
    let (delete, child, write) = (access::DELETE, access::DELETE_CHILD, access::WRITE_PROPERTY);
    let rows: Vec<Row<'_>> = vec![
        ("nothing", vec![], vec![], None),
        ("delete, to me", vec![], vec![plain(ALLOW, 0, delete, &me)], None),
        ("delete, to a group of mine", vec![], vec![plain(ALLOW, 0, delete, &users)], None),
        ("delete, to everyone", vec![], vec![plain(ALLOW, 0, delete, &everyone)], None),
        (
            "delete, denied to everyone first",
            vec![],
            vec![plain(DENY, 0, delete, &everyone), plain(ALLOW, 0, delete, &me)],
            None,
        ),
        ("children of the unit", vec![plain(ALLOW, 0, child, &me)], vec![], None),
        ("computers of the unit", vec![of(ALLOW, 0, child, computer, None)], vec![], None),
        ("units of the unit", vec![of(ALLOW, 0, child, Some(access::ORGANIZATIONAL_UNIT), None)], vec![], None),
        (
            "computers of the unit, protected object",
            vec![of(ALLOW, 0, child, computer, None)],
            vec![plain(DENY, 0, delete, &everyone)],
            None,
        ),
        ("children denied", vec![plain(DENY, 0, child, &everyone), of(ALLOW, 0, child, computer, None)], vec![], None),
        ("delete by inheritance", vec![plain(ALLOW, 0x0a, delete, &me)], vec![], None),
        ("delete by inheritance, to computers", vec![of(ALLOW, 0x0a, delete, None, computer)], vec![], None),
        (
            "delete by inheritance, to units",
            vec![of(ALLOW, 0x0a, delete, None, Some(access::ORGANIZATIONAL_UNIT))],
            vec![],
            None,
        ),
        ("delete, inherit only on the object", vec![], vec![plain(ALLOW, 0x0a, delete, &me)], None),
        ("the class of the object", vec![], vec![of(ALLOW, 0, delete, computer, None)], None),
        ("write all", vec![], vec![plain(ALLOW, 0, write, &me)], None),
        ("write the flags", vec![], vec![of(ALLOW, 0, write, control, None)], None),
        ("write account restrictions", vec![], vec![of(ALLOW, 0, write, restrictions, None)], None),
        ("write the description", vec![], vec![of(ALLOW, 0, write, description, None)], None),
        ("write the flags by inheritance", vec![of(ALLOW, 0x0a, write, control, computer)], vec![], None),
        ("all but the flags", vec![], vec![of(DENY, 0, write, control, None), plain(ALLOW, 0, write, &me)], None),
        (
            "all but account restrictions",
            vec![],
            vec![of(DENY, 0, write, restrictions, None), plain(ALLOW, 0, write, &me)],
            None,
        ),
        ("everything", vec![], vec![plain(ALLOW, 0, 0x000f_01ff, &me)], None),
        ("generic all", vec![], vec![plain(ALLOW, 0, 0x1000_0000, &me)], None),
        ("generic write", vec![], vec![plain(ALLOW, 0, 0x4000_0000, &me)], None),
        ("the owner", vec![], vec![], Some(me.clone())),
        // Samba 4.17 gives an owner its rights though an entry names OWNER RIGHTS; Windows doesn't ([MS-DTYP] 2.5.3.2), and
        // that is what `winformat::access` is held to by its own tests.
        ("owner rights of somebody else", vec![], vec![plain(ALLOW, 0, delete, &owner_rights)], None),
    ];
    let reader = plain(ALLOW, 0, 0x0002_0094, &everyone);
    let full = plain(ALLOW, 2, 0x000f_01ff, &administrator);
    let mut differences = Vec::new();
    for (number, (what, on_unit, on_computer, owner)) in rows.into_iter().enumerate() {
        let name = format!("RIGHTS-{number}");
        let own = |aces: Vec<Ace>| -> Vec<Ace> { aces.into_iter().chain([full.clone(), reader.clone()]).collect() };
        let descriptor = |control, owner: Option<Sid>, aces| Descriptor {
            control,
            owner: Some(owner.unwrap_or_else(|| administrator.clone())),
            group: None,
            dacl: Some(own(aces)),
            sacl: None,
        };
        set_descriptor(&mut admin, &unit, &descriptor(CONTROL | PROTECTED, None, on_unit)).await;
        admin.computer(&name, &unit).await;
        let dn = format!("CN={name},{unit}");
        // What comes from the unit is added by the server, and read again from it.
        set_descriptor(&mut admin, &dn, &descriptor(CONTROL, owner, on_computer)).await;
        let (of_unit, of_computer) = (descriptor_of(&mut admin, &unit).await, descriptor_of(&mut admin, &dn).await);
        let groups = groups_of(&mut admin, &format!("CN=svc-none,CN=Users,{}", samba.base)).await;
        let token = Token::new(&me, groups);
        let target = Target { descriptor: &of_computer, class: access::COMPUTER, sid: None };
        let container = Target { descriptor: &of_unit, class: access::ORGANIZATIONAL_UNIT, sid: None };
        let computed = [
            access::allowed(target, &token, write, &ACCOUNT_CONTROL),
            access::allowed(target, &token, write, &DESCRIPTION),
            access::allowed(target, &token, access::WRITE_DAC, &[]),
            access::may_delete(target, container, &token),
        ];
        let mut as_me = samba.raw("svc-none").await;
        let replace = |name: &str, value: &str| {
            Mod::Replace(name.as_bytes().to_vec(), HashSet::from([value.as_bytes().to_vec()]))
        };
        let tried = [
            as_me.ldap.modify(&dn, vec![replace("userAccountControl", "4098")]).await.expect("an answer").rc,
            as_me.ldap.modify(&dn, vec![replace("description", "tried")]).await.expect("an answer").rc,
            {
                let mut list = of_computer.clone();
                list.dacl.get_or_insert_default().retain(|ace| ace.flags & 0x10 == 0);
                let bytes = Descriptor { owner: None, ..list }.to_bytes().expect("bytes");
                let change = Mod::Replace(b"nTSecurityDescriptor".to_vec(), HashSet::from([bytes]));
                let only_list = flags([0x30, 3, 2, 1, 4]);
                as_me.ldap.with_controls(only_list).modify(&dn, vec![change]).await.expect("an answer").rc
            },
            as_me.ldap.delete(&dn).await.expect("an answer").rc,
        ];
        if tried.map(|rc| rc == 0) != computed {
            differences
                .push(format!("{what}: computed {computed:?} (flags, description, list, delete), tried {tried:?}"));
        }
        let _ = admin.ldap.delete(&dn).await;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

async fn groups_of(admin: &mut Admin, dn: &str) -> Vec<Sid> {
    let found =
        admin.ldap.search(dn, ldap3::Scope::Base, "(objectClass=*)", vec!["tokenGroups"]).await.expect("an answer");
    let entry = ldap3::SearchEntry::construct(found.success().expect("found").0.pop().expect("an object"));
    entry
        .bin_attrs
        .get("tokenGroups")
        .into_iter()
        .flatten()
        .map(|bytes| sid::from_bytes(bytes).expect("a SID"))
        .collect()
}

/// Catches a delegation that isn't seen, or seen where it isn't.
#[tokio::test]
async fn delegations() {
    let Some(samba) = samba("delegated rights") else { return };
    let mut admin = samba.admin().await;
    let empty = admin.unit("Empty", &samba.workstations).await;
    let full = admin.unit("Full", &samba.workstations).await;
    let elsewhere = admin.unit("Full", &samba.servers).await;
    for number in 1..=2 {
        admin.computer(&format!("DELEGATED-{number}"), &full).await;
    }
    admin.computer("DELEGATED-3", &elsewhere).await;
    for (account, unit, delete, disable) in [
        ("svc-delegated", &full, true, true),
        ("svc-delegated", &empty, true, true),
        ("svc-delegated", &elsewhere, false, false),
        ("svc-none", &full, false, false),
        ("svc-none", &empty, false, false),
        ("svc-admin", &elsewhere, true, true),
    ] {
        let state = samba.client_of(account, unit).observe().await.expect("readable");
        let [rights] = state.account.known().expect("an account").rights.as_slice() else { panic!("one unit") };
        let found = (rights.delete, rights.disable, rights.describe, rights.read_properties);
        assert_eq!(found, (delete, disable, disable, true), "{account} in {unit}: {rights:?}");
        assert!(rights.exceptions.is_empty(), "{rights:?}");
    }
}
