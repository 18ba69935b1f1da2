//! What one check says of one subject, and what a plan does with that.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::{CheckSeverity, spec};
use crate::dag::Blocker;
use crate::model::{Check, DeviceName, OwnerRole, PackageName, TenantName, WaveName};

/// A text that is often fixed.
pub type Text = Cow<'static, str>;

/// What was measured, before people's word is laid over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measured {
    /// It holds.
    Pass,
    /// It holds, but a person should know something.
    Warn,
    /// It doesn't hold.
    Fail,
    /// It couldn't be measured, or only people can know it. Unknown is never a pass.
    Unknown,
    /// It doesn't apply to this subject.
    NotApplicable,
}

/// One measurement: what was found, in words, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What was measured.
    pub measured: Measured,
    /// What was seen, or why it couldn't be; one clause without a full stop and without the subject's name.
    pub seen: Text,
    /// What to do, where it is more exact than the register's remedy.
    pub remedy: Option<Text>,
    /// A finer code than the check's id.
    pub code: Option<&'static str>,
    /// Position among the plan's exclusions of one that covers exactly this.
    pub exclusion: Option<usize>,
    /// Waves that it concerns, where it doesn't concern each that uses its subject.
    pub only: Vec<WaveName>,
}

impl Judged {
    fn new(measured: Measured, seen: impl Into<Text>) -> Self {
        Self { measured, seen: seen.into(), remedy: None, code: None, exclusion: None, only: Vec::new() }
    }
    /// It holds.
    pub fn pass(seen: impl Into<Text>) -> Self {
        Self::new(Measured::Pass, seen)
    }
    /// It holds, with a remark.
    pub fn warn(seen: impl Into<Text>) -> Self {
        Self::new(Measured::Warn, seen)
    }
    /// It doesn't hold.
    pub fn fail(seen: impl Into<Text>) -> Self {
        Self::new(Measured::Fail, seen)
    }
    /// It couldn't be measured; the text says why.
    pub fn unknown(why: impl Into<Text>) -> Self {
        Self::new(Measured::Unknown, why)
    }
    /// It doesn't apply; the text says why.
    pub fn not_applicable(why: impl Into<Text>) -> Self {
        Self::new(Measured::NotApplicable, why)
    }
    /// Returns one judgement of several about the same check: the worst, with every clause of its kind. The first
    /// of them gives the finer code. Nothing at all isn't known.
    #[must_use]
    pub fn worst(parts: impl IntoIterator<Item = Self>) -> Self {
        let rank = |judged: &Self| match judged.measured {
            Measured::Fail => 0,
            Measured::Unknown => 1,
            Measured::Warn => 2,
            Measured::Pass => 3,
            Measured::NotApplicable => 4,
        };
        let mut parts: Vec<Self> = parts.into_iter().collect();
        let worst = parts.iter().map(rank).min();
        parts.retain(|part| Some(rank(part)) == worst);
        let mut parts = parts.into_iter();
        let Some(mut first) = parts.next() else { return Self::unknown("nothing was looked at") };
        for part in parts {
            if !first.seen.contains(part.seen.as_ref()) {
                first.seen = format!("{}; {}", first.seen, part.seen).into();
            }
            first.code = first.code.or(part.code);
            first.exclusion = first.exclusion.or(part.exclusion);
            first.remedy = match (first.remedy, part.remedy) {
                (Some(one), Some(other)) if !one.contains(other.as_ref()) => Some(format!("{one}; {other}").into()),
                (one, other) => one.or(other),
            };
        }
        first
    }
    /// Says what mends it.
    #[must_use]
    pub fn remedy(mut self, text: impl Into<Text>) -> Self {
        self.remedy = Some(text.into());
        self
    }
    /// Gives it a finer code.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }
    /// Names the waves that it concerns.
    #[must_use]
    pub(super) fn only(mut self, waves: Vec<WaveName>) -> Self {
        self.only = waves;
        self
    }
    /// Names the exclusion that covers exactly this, by its position in the plan.
    #[must_use]
    pub fn covered_by(mut self, exclusion: usize) -> Self {
        self.exclusion = Some(exclusion);
        self
    }
}

/// What a check is about, once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The plan as a whole.
    Plan,
    /// A tenant of the plan.
    Tenant(TenantName),
    /// Active Directory, by its DNS name.
    Directory(String),
    /// A provisioning package.
    Package(PackageName),
    /// A wave.
    Wave(WaveName),
    /// A device, and with it the person who uses it.
    Device(DeviceName),
}

impl Subject {
    /// Returns the kind, for people.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Tenant(_) => "tenant",
            Self::Directory(_) => "directory",
            Self::Package(_) => "package",
            Self::Wave(_) => "wave",
            Self::Device(_) => "device",
        }
    }
    /// Returns the name; empty for the plan.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Plan => "",
            Self::Tenant(name) => name.as_str(),
            Self::Directory(name) => name,
            Self::Package(name) => name.as_str(),
            Self::Wave(name) => name.as_str(),
            Self::Device(name) => name.as_str(),
        }
    }
}

/// A person's word for a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attested {
    /// Who.
    pub by: String,
    /// When.
    pub on: Date,
    /// Last day.
    pub until: Option<Date>,
    /// Reference.
    pub evidence: Option<String>,
}

/// An exclusion over a check that doesn't hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excepted {
    /// Id of the exclusion.
    pub exclusion: String,
    /// Who owns it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Its end.
    pub until: Timestamp,
}

/// What a check comes to, with people's word laid over the measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It holds, but a person should know something.
    Warn,
    /// It doesn't hold. An attestation doesn't change that; it is shown beside it.
    Fail(Option<Box<Attested>>),
    /// It isn't known.
    Unknown,
    /// It couldn't be measured, and a person stands for it.
    Attested(Box<Attested>),
    /// It doesn't hold or isn't known, and an exclusion of the plan covers it.
    Excepted(Box<Excepted>),
    /// It doesn't apply.
    NotApplicable,
}

/// The outcomes without their content, in the order of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeKind {
    /// It doesn't hold.
    Fail,
    /// It isn't known.
    Unknown,
    /// An exclusion covers it.
    Excepted,
    /// A person stands for it.
    Attested,
    /// It holds, with a remark.
    Warn,
    /// It holds.
    Pass,
    /// It doesn't apply.
    NotApplicable,
}

impl OutcomeKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Fail, Self::Unknown, Self::Excepted, Self::Attested, Self::Warn, Self::Pass, Self::NotApplicable];
    /// Returns the word that people see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::Excepted => "excepted",
            Self::Attested => "attested",
            Self::Warn => "warn",
            Self::Pass => "pass",
            Self::NotApplicable => "not applicable",
        }
    }
}

impl Outcome {
    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Pass => OutcomeKind::Pass,
            Self::Warn => OutcomeKind::Warn,
            Self::Fail(_) => OutcomeKind::Fail,
            Self::Unknown => OutcomeKind::Unknown,
            Self::Attested(_) => OutcomeKind::Attested,
            Self::Excepted(_) => OutcomeKind::Excepted,
            Self::NotApplicable => OutcomeKind::NotApplicable,
        }
    }
}

/// What one check says of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// What it is about.
    pub subject: Subject,
    /// What it comes to.
    pub outcome: Outcome,
    /// What was measured beneath an attestation or an exception.
    pub measured: Measured,
    /// What was seen, or why it couldn't be.
    pub seen: Text,
    /// What to do.
    pub remedy: Text,
    /// The check's id, or a finer code.
    pub code: &'static str,
    /// Who has to act.
    pub owner: OwnerRole,
    /// Position of the wave that it concerns, where it is one.
    pub wave: Option<u16>,
    /// Waves that it concerns, where it doesn't concern each that uses its subject.
    pub only: Vec<WaveName>,
}

impl Finding {
    /// Says whether it concerns a wave that uses its subject.
    #[must_use]
    pub fn concerns(&self, wave: &WaveName) -> bool {
        self.only.is_empty() || self.only.contains(wave)
    }
    /// Says whether it keeps `apply` from what it covers: a blocking check that fails or isn't known.
    #[must_use]
    pub fn blocks(&self) -> bool {
        spec(self.check).severity == CheckSeverity::Block && !self.holds()
    }
    /// Says whether the gate of a wave waits for it, as it does for the exit of its pilot. That blocks nothing: the wave's
    /// devices wait.
    #[must_use]
    pub fn holds_gate(&self) -> bool {
        spec(self.check).severity == CheckSeverity::Gate && !self.holds()
    }
    /// Says whether it holds, doesn't apply, or somebody stands for it.
    #[must_use]
    pub fn holds(&self) -> bool {
        !matches!(self.outcome.kind(), OutcomeKind::Fail | OutcomeKind::Unknown)
    }
    /// Says whether a person should look at it: it blocks, warns, or rests on an exception.
    #[must_use]
    pub fn speaks(&self) -> bool {
        !matches!(self.outcome.kind(), OutcomeKind::Pass | OutcomeKind::NotApplicable | OutcomeKind::Attested)
    }
    /// Returns it as what keeps a device back.
    #[must_use]
    pub fn blocker(&self) -> Blocker {
        let subject = match &self.subject {
            Subject::Plan => String::new(),
            Subject::Device(name) => format!("{name}: "),
            other => format!("{} `{}`: ", other.kind(), other.name()),
        };
        let message = format!("{subject}{}", self.seen);
        let blocker = Blocker::new(self.code, self.owner, message, self.remedy.clone()).of(self.check);
        if self.outcome == Outcome::Unknown { blocker.unmeasured() } else { blocker }
    }
}
