//! The table of diagnostic codes. Each has a page in `docs/codes/` and a test that trips it.

/// A stable diagnostic code.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// `OPS0101` and the like; never reused for another meaning.
    pub id: &'static str,
    /// At most eight words, no names of the user's objects.
    pub title: &'static str,
    /// Its page, Markdown.
    pub page: &'static str,
}

macro_rules! codes {
    ($($name:ident = $id:literal $title:literal;)*) => {
        impl Code {
            $(#[doc = $title] pub const $name: &'static Code = &Code {
                id: $id,
                title: $title,
                page: include_str!(concat!("../../docs/codes/", $id, ".md")),
            };)*
        }
        /// Every code, in the order of its number.
        pub const ALL_CODES: &[&Code] = &[$(Code::$name),*];
    };
}

codes! {
    // 01xx: the text of the plan file
    SYNTAX = "OPS0101" "The file isn't valid YAML";
    UNKNOWN_KEY = "OPS0102" "Unknown key";
    WRONG_TYPE = "OPS0103" "Wrong type of value";
    MISSING_KEY = "OPS0104" "Missing key";
    DUPLICATE_KEY = "OPS0105" "Key written twice";
    LIMIT = "OPS0106" "The file is larger than allowed";
    INCLUDE = "OPS0107" "Include can't be used";
    BAD_VALUE = "OPS0108" "Value not allowed here";
    FORMAT_VERSION = "OPS0109" "Plan format not supported";
    LITERAL_SECRET = "OPS0110" "Secret written in the plan";
    // 02xx: the meaning of the plan file
    UNKNOWN_NAME = "OPS0201" "Name isn't defined";
    DUPLICATE_NAME = "OPS0202" "Name defined twice";
    NEEDS_CYCLE = "OPS0203" "Waves wait for each other";
    WAVES_OVERLAP = "OPS0204" "Device in more than one wave";
    BAD_DATE = "OPS0205" "Date can't be";
    EXCLUSION_EXPIRED = "OPS0206" "Exclusion has run out";
    EXCLUSION_OWNER = "OPS0207" "Exclusion has no owner";
    EXCLUSION_OUTLIVES = "OPS0208" "Exclusion outlives its waves";
    PACKAGE_EXPIRES = "OPS0209" "Package ends before its waves";
    PACKAGE_LIFETIME = "OPS0210" "Package lives longer than allowed";
    TENANT_ROLES = "OPS0211" "Tenants don't fit the scenario";
    WAVE_SIZE = "OPS0212" "Wave has an unexpected size";
    FEATURE_CONFLICT = "OPS0213" "Features contradict each other";
    DIRECTORY_MISSING = "OPS0214" "Directory section is missing";
    MAPPING = "OPS0215" "User mapping can't be used";
    INVENTORY = "OPS0216" "Device inventory can't be used";
    CREDENTIAL_EXPIRES = "OPS0217" "Credential ends before the last wave";
    ATTESTATION_EXPIRED = "OPS0218" "Attestation has run out";
    NO_WAVES = "OPS0219" "Plan has no waves";
    CHECK_ANSWER = "OPS0220" "A check isn't answered this way";
    POLICY_RULE = "OPS0221" "Rule is incomplete";
    NOBODY_APPROVES = "OPS0222" "Too few people can approve";
    // 03xx: plan against what was observed
    GROUP_NOT_FOUND = "OPS0301" "Group isn't in the tenant";
    DEVICE_NOT_FOUND = "OPS0302" "Device wasn't observed anywhere";
    OBSERVATION_FAILED = "OPS0303" "Something couldn't be read";
    DEVICE_AMBIGUOUS = "OPS0304" "Several records claim one device";
    NOTHING_SELECTED = "OPS0305" "Wave selects no device";
    GROUP_AMBIGUOUS = "OPS0306" "Several groups have this name";
    GATE_CLOSED = "OPS0307" "Wave may not open yet";
    PERMISSION_MISSING = "OPS0308" "Application lacks a permission";
    EXCLUSION_ENDS = "OPS0310" "Exclusion ends while it is needed";
    EXCLUSION_DIFFERS = "OPS0311" "Exclusion in plan and tenant differ";
}
