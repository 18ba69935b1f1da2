//! Users and sessions, on disk and in memory.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::chain;
use super::memory::MemoryStore;
use super::sqlite::{Failure, SqliteStore, json};
use crate::audit::{Link, Note};
use crate::model::{Digest, Problem};
use crate::operators::{SESSIONS_PER_USER, Session, User, UserName};
use crate::port::{OperatorStore, Result};

/// The tables. Sessions are swept and put in order by the moment at which they began, in milliseconds.
pub(super) const SCHEMA: &str = "
    CREATE TABLE users (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users (name), began INTEGER NOT NULL, body TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sessions_by_user ON sessions (user, began);
    CREATE INDEX sessions_by_age ON sessions (began);
";

fn unknown(name: &UserName) -> Problem {
    Problem::new("users.unknown", format!("there is no user {name}")).next("`opsole users list` shows those there are")
}
fn exists(name: &UserName) -> Problem {
    Problem::new("users.exists", format!("there is a user {name} already"))
        .next("take another name, or change that user with `opsole users set-role` or `opsole users password`")
}

fn put(t: &Transaction<'_>, sql: &str, user: &User) -> rusqlite::Result<usize> {
    t.prepare_cached(sql)?.execute(params![user.name.as_str(), json(user)])
}

impl OperatorStore for SqliteStore {
    fn users(&self) -> Result<Vec<User>> {
        let rows: Vec<String> = self.read(|c| {
            c.prepare_cached("SELECT body FROM users ORDER BY name")?.query_map([], |row| row.get(0))?.collect()
        })?;
        rows.iter().map(|body| self.parse(body)).collect()
    }
    fn user(&self, name: &UserName) -> Result<Option<User>> {
        let body: Option<String> = self.read(|c| {
            c.prepare_cached("SELECT body FROM users WHERE name = ?1")?
                .query_row([name.as_str()], |row| row.get(0))
                .optional()
        })?;
        body.map(|body| self.parse(&body)).transpose()
    }
    fn add_user(&self, user: &User, audit: &[Note]) -> Result<()> {
        self.tell(audit, |t| match put(t, "INSERT OR IGNORE INTO users (name, body) VALUES (?1, ?2)", user)? {
            0 => Err(exists(&user.name).into()),
            _ => Ok(()),
        })
    }
    fn change_user(&self, user: &User, end_sessions: bool, audit: &[Note]) -> Result<()> {
        self.tell(audit, |t| {
            if put(t, "UPDATE users SET body = ?2 WHERE name = ?1", user)? == 0 {
                return Err(unknown(&user.name).into());
            }
            if end_sessions {
                t.execute("DELETE FROM sessions WHERE user = ?1", [user.name.as_str()])?;
            }
            Ok(())
        })
    }
    fn begin_session(&self, session: &Session, user: &User, swept: Timestamp, audit: &[Note]) -> Result<()> {
        self.tell(audit, |t| {
            let body: Option<String> = t
                .query_row("SELECT body FROM users WHERE name = ?1", [session.user.as_str()], |row| row.get(0))
                .optional()?;
            if body != Some(json(user)) {
                return Err(Failure::from(unknown(&session.user)));
            }
            let user = session.user.as_str();
            t.execute("DELETE FROM sessions WHERE began < ?1", [swept.as_millisecond()])?;
            t.execute(
                "DELETE FROM sessions WHERE id IN (
                    SELECT id FROM sessions WHERE user = ?1 ORDER BY began DESC, id LIMIT -1 OFFSET ?2
                )",
                params![user, i64::try_from(SESSIONS_PER_USER - 1).unwrap_or(0)],
            )?;
            t.execute(
                "INSERT INTO sessions (id, user, began, body) VALUES (?1, ?2, ?3, ?4)",
                params![session.id.to_string(), user, session.began.as_millisecond(), json(session)],
            )?;
            Ok(())
        })
    }
    fn session(&self, id: &Digest) -> Result<Option<Session>> {
        let body: Option<String> = self.read(|c| {
            c.prepare_cached("SELECT body FROM sessions WHERE id = ?1")?
                .query_row([id.to_string()], |row| row.get(0))
                .optional()
        })?;
        body.map(|body| self.parse(&body)).transpose()
    }
    fn see_session(&self, id: &Digest, at: Timestamp) -> Result<()> {
        let Some(session) = self.session(id)? else { return Ok(()) };
        let session = Session { seen: at.max(session.seen), ..session };
        self.write(|t| {
            t.execute("UPDATE sessions SET body = ?2 WHERE id = ?1", params![id.to_string(), json(&session)])?;
            Ok(())
        })
    }
    fn end_session(&self, id: &Digest) -> Result<()> {
        self.write(|t| Ok(t.execute("DELETE FROM sessions WHERE id = ?1", [id.to_string()]).map(drop)?))
    }
    fn audit_after(&self, seq: u64, limit: u32) -> Result<Vec<Link>> {
        self.read(|c| chain::links_after(c, seq, limit))
    }
}

impl OperatorStore for MemoryStore {
    fn users(&self) -> Result<Vec<User>> {
        Ok(self.tables().users.values().cloned().collect())
    }
    fn user(&self, name: &UserName) -> Result<Option<User>> {
        Ok(self.tables().users.get(name).cloned())
    }
    fn add_user(&self, user: &User, audit: &[Note]) -> Result<()> {
        let mut tables = self.tables();
        if tables.users.contains_key(&user.name) {
            return Err(exists(&user.name));
        }
        tables.users.insert(user.name.clone(), user.clone());
        tables.tell(audit);
        Ok(())
    }
    fn change_user(&self, user: &User, end_sessions: bool, audit: &[Note]) -> Result<()> {
        let mut tables = self.tables();
        *tables.users.get_mut(&user.name).ok_or_else(|| unknown(&user.name))? = user.clone();
        if end_sessions {
            tables.sessions.retain(|_, session| session.user != user.name);
        }
        tables.tell(audit);
        Ok(())
    }
    fn begin_session(&self, session: &Session, user: &User, swept: Timestamp, audit: &[Note]) -> Result<()> {
        let mut tables = self.tables();
        if tables.users.get(&session.user) != Some(user) {
            return Err(unknown(&session.user));
        }
        tables.sessions.retain(|_, other| other.began >= swept);
        let of_user = tables.sessions.values().filter(|other| other.user == session.user);
        let mut mine: Vec<(std::cmp::Reverse<Timestamp>, Digest)> =
            of_user.map(|other| (std::cmp::Reverse(other.began), other.id)).collect();
        mine.sort_unstable();
        mine.iter().skip(SESSIONS_PER_USER - 1).for_each(|(_, id)| drop(tables.sessions.remove(id)));
        tables.sessions.insert(session.id, session.clone());
        tables.tell(audit);
        Ok(())
    }
    fn session(&self, id: &Digest) -> Result<Option<Session>> {
        Ok(self.tables().sessions.get(id).cloned())
    }
    fn see_session(&self, id: &Digest, at: Timestamp) -> Result<()> {
        if let Some(session) = self.tables().sessions.get_mut(id) {
            session.seen = at.max(session.seen);
        }
        Ok(())
    }
    fn end_session(&self, id: &Digest) -> Result<()> {
        self.tables().sessions.remove(id);
        Ok(())
    }
    fn audit_after(&self, seq: u64, limit: u32) -> Result<Vec<Link>> {
        let tables = self.tables();
        let after = tables.audit.iter().filter(|link| link.seq > seq);
        Ok(after.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Fact, UserChange};
    use crate::operators::{PasswordHash, Role, Token};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + secs).expect("a moment")
    }
    fn user(name: &str, role: Role) -> User {
        let (name, password) = (name.parse().expect("a name"), PasswordHash::stand_in());
        User { name, role, password, disabled: false, created: at(0), changed: at(0), unlocked: None }
    }
    fn note(name: &str) -> [Note; 1] {
        let change = UserChange { name: name.parse().expect("a name"), role: Role::Viewer, changed: Vec::new() };
        [Note { at: at(0), actor: "jane@desk".to_owned(), fact: Fact::UserAdded(change) }]
    }
    fn session(user: &str, number: u8, began: i64) -> Session {
        Session::begin(&Token::of([number; 32]), user.parse().expect("a name"), at(began))
    }
    fn each(check: impl Fn(&dyn OperatorStore)) {
        check(&MemoryStore::new());
        let folder = tempfile::tempdir().expect("a folder");
        check(&SqliteStore::open(folder.path()).expect("a store"));
    }

    /// Catches a user who is added twice, changed without being there, or told of without being written.
    #[test]
    fn users_are_kept_by_name() {
        each(|store| {
            store.add_user(&user("john", Role::Viewer), &note("john")).expect("a write");
            store.add_user(&user("Jane", Role::Admin), &note("jane")).expect("a write");
            assert_eq!(store.add_user(&user("JANE", Role::Viewer), &note("x")).unwrap_err().code, "users.exists");
            assert_eq!(
                store.change_user(&user("joe", Role::Viewer), true, &note("x")).unwrap_err().code,
                "users.unknown"
            );
            store.change_user(&user("john", Role::Operator), false, &note("y")).expect("a write");
            let users: Vec<(String, Role)> =
                store.users().expect("users").into_iter().map(|user| (user.name.to_string(), user.role)).collect();
            assert_eq!(users, [("jane".to_owned(), Role::Admin), ("john".to_owned(), Role::Operator)]);
            assert_eq!(store.user(&"jane".parse().expect("a name")).expect("a read"), Some(user("jane", Role::Admin)));
            assert_eq!(store.audit().expect("a list").len(), 3);
            let page: Vec<u64> = store.audit_after(1, 1).expect("a page").iter().map(|link| link.seq).collect();
            assert_eq!(page, [2]);
        });
    }

    /// Catches a session that outlives its user's rights, one that comes back, and sessions without end.
    #[test]
    fn sessions_end_with_what_they_rest_on() {
        each(|store| {
            store.add_user(&user("jane", Role::Viewer), &[]).expect("a write");
            store.add_user(&user("john", Role::Viewer), &[]).expect("a write");
            assert_eq!(
                store.begin_session(&session("joe", 1, 0), &user("joe", Role::Viewer), at(0), &[]).unwrap_err().code,
                "users.unknown"
            );
            let before = user("jane", Role::Operator);
            let late = store.begin_session(&session("jane", 1, 0), &before, at(0), &[]);
            assert_eq!(late.unwrap_err().code, "users.unknown", "changed while the password was looked at");
            let many = u8::try_from(SESSIONS_PER_USER).expect("a small number") + 2;
            for number in 0..many {
                store
                    .begin_session(
                        &session("jane", number, i64::from(number)),
                        &user("jane", Role::Viewer),
                        at(-9),
                        &[],
                    )
                    .expect("a write");
            }
            store.begin_session(&session("john", 100, 50), &user("john", Role::Viewer), at(-9), &[]).expect("a write");
            let there = |number: u8| store.session(&session("x", number, 0).id).expect("a read").is_some();
            assert_eq!((0..many).filter(|number| !there(*number)).collect::<Vec<_>>(), [0, 1], "the oldest end");

            let id = session("john", 100, 50).id;
            store.see_session(&id, at(80)).expect("a write");
            store.see_session(&id, at(70)).expect("a write");
            assert_eq!(store.session(&id).expect("a read").map(|session| session.seen), Some(at(80)));
            store.change_user(&user("jane", Role::Viewer), true, &[]).expect("a write");
            assert!((0..many).all(|number| !there(number)) && there(100));
            store.begin_session(&session("jane", 7, 200), &user("jane", Role::Viewer), at(60), &[]).expect("a write");
            assert!(there(7) && !there(100), "swept");
            store.end_session(&session("jane", 7, 200).id).expect("a write");
            store.see_session(&session("jane", 7, 200).id, at(300)).expect("nothing");
            assert!(!there(7));
        });
    }
}
