//! The way to the service, the TPM and federated identity providers (domain.md B14).

use super::foreign::{Family, ForeignCode, Mark};
use crate::model::{Check, Op};

/// What needs the cloud from the device.
const ONLINE: &[Op] = &[Op::Preflight, Op::ApplyPackage, Op::VerifyJoin, Op::AwaitSignIn, Op::VerifyEnrolment];
const JOINING: &[Op] = &[Op::ApplyPackage, Op::VerifyJoin];

const NETWORK: ForeignCode = ForeignCode {
    code: "",
    names: &[],
    family: Family::Network,
    title: "",
    cause: "",
    checks: &[],
    ops: ONLINE,
    readiness: &[Check::NetHttps],
    mark: Mark::Read,
    source: "domain.md B14 (entra-docs, hybrid join troubleshooting)",
};
const TPM: ForeignCode = ForeignCode { family: Family::Tpm, ops: JOINING, readiness: &[Check::DevTpm], ..NETWORK };
const FEDERATION: ForeignCode =
    ForeignCode { family: Family::Federation, ops: &[Op::AwaitSignIn], readiness: &[], ..NETWORK };

const REACH: &[&str] = &[
    "see that the device reaches enterpriseregistration.windows.net and login.microsoftonline.com on 443 as SYSTEM",
    "see that the proxy lets the computer account through without asking",
];
const PROVIDER: &[&str] = &[
    "look at the identity provider: its WS-Trust endpoints have to be on and its metadata has to name them",
    "see that no proxy changes the answer",
    "event 305 of User Device Registration names the server's own code",
];

pub(super) static TABLE: &[ForeignCode] = &[
    ForeignCode {
        code: "0x8007000d",
        names: &["E_INVALIDDATA"],
        title: "the answer isn't what a service sends",
        cause: "a captive portal or a proxy answered with a page of its own where the service was asked",
        checks: &[
            "look for a captive portal: open any page on the device",
            "see that the proxy lets the computer account through without asking",
            "move the device to the company's network",
        ],
        readiness: &[Check::NetCaptive, Check::NetProxy],
        ..NETWORK
    },
    ForeignCode {
        code: "0x80072ee2",
        names: &["WININET_E_TIMEOUT"],
        title: "the connection timed out",
        cause: "the service, or the way to it, didn't answer in time",
        checks: REACH,
        ..NETWORK
    },
    ForeignCode {
        code: "0x80072ee7",
        names: &["WININET_E_NAME_NOT_RESOLVED"],
        title: "the name isn't resolved",
        cause: "DNS gave no address for the service",
        checks: &[
            "resolve enterpriseregistration.windows.net and login.microsoftonline.com on the device",
            "look at the DNS servers of its active adapter",
        ],
        readiness: &[Check::NetDns],
        ..NETWORK
    },
    ForeignCode {
        code: "0x80072efd",
        names: &["WININET_E_CANNOT_CONNECT"],
        title: "no connection to the service",
        cause: "the connection wasn't made: a firewall, a proxy or no network",
        checks: REACH,
        ..NETWORK
    },
    ForeignCode {
        code: "0x80072efe",
        names: &["WININET_E_CONNECTION_ABORTED"],
        title: "the connection was cut",
        cause: "something ended the connection before the answer was whole",
        checks: &[
            "try again, or from another network",
            "see whether a firewall or proxy cuts connections to the service",
        ],
        ..NETWORK
    },
    ForeignCode {
        code: "0x80072f8f",
        names: &["WININET_E_DECODING_FAILED"],
        title: "the secure connection fails",
        cause: "TLS is intercepted, or the device's clock is wrong; while a recovery key is backed up, also a device key \
                that the TPM can't use",
        checks: &[
            "compare the clock with the right time (`w32tm /resync`)",
            "see who issued the certificate that the device is shown: it has to be a public one",
            "while a recovery key is backed up, look at the TPM too",
        ],
        ops: &[
            Op::Preflight,
            Op::ApplyPackage,
            Op::VerifyJoin,
            Op::AwaitSignIn,
            Op::VerifyEnrolment,
            Op::EscrowBitlocker,
            Op::EscrowBitlockerNew,
        ],
        readiness: &[Check::DevClock, Check::NetTls],
        source: "domain.md B8, B14 (entra-docs, hybrid join troubleshooting)",
        ..NETWORK
    },
    ForeignCode {
        code: "0x80090016",
        names: &["NTE_BAD_KEYSET"],
        title: "the key isn't there",
        cause: "the TPM was cleared, or the device was set up from an image that was joined already",
        checks: &[
            "look at the TPM: was it cleared since the device registered",
            "where many devices from one image show it, make the image from a device that isn't joined",
        ],
        ..TPM
    },
    ForeignCode {
        code: "0x80290407",
        names: &["TPM_E_PCP_INTERNAL_ERROR"],
        title: "the TPM failed",
        cause: "the TPM answered with an error of its own; Windows 10 1809 and later go on with keys in software",
        checks: &["update the TPM's firmware", "update Windows, or clear the TPM after recovery keys are in escrow"],
        ..TPM
    },
    ForeignCode {
        code: "0x80280036",
        names: &["TPM_E_NOTFIPS"],
        title: "the TPM is in FIPS mode",
        cause: "a TPM in FIPS mode isn't supported for the join",
        checks: &["take the TPM out of FIPS mode, or exclude the device"],
        ..TPM
    },
    ForeignCode {
        code: "0x80090031",
        names: &["NTE_AUTHENTICATION_IGNORED"],
        title: "the TPM is locked out",
        cause: "the TPM saw too many wrong tries and waits; it passes by itself",
        checks: &["wait until the lockout has passed, then try again", "restart the device where it doesn't pass"],
        ..TPM
    },
    ForeignCode {
        code: "0xcaa82ee2",
        names: &["ERROR_ADAL_INTERNET_TIMEOUT"],
        title: "the sign-in service timed out",
        cause: "login.microsoftonline.com, or the identity provider, didn't answer in time",
        checks: REACH,
        ..NETWORK
    },
    ForeignCode {
        code: "0xcaa82efd",
        names: &["ERROR_ADAL_INTERNET_CANNOT_CONNECT"],
        title: "no connection to the sign-in service",
        cause: "the connection to login.microsoftonline.com wasn't made",
        checks: REACH,
        ..NETWORK
    },
    ForeignCode {
        code: "0xcaa82efe",
        names: &["ERROR_ADAL_INTERNET_CONNECTION_ABORTED"],
        title: "the connection to the sign-in service was cut",
        cause: "something ended the connection before the answer was whole",
        checks: &[
            "try again, or from another network",
            "see whether a firewall or proxy cuts connections to the service",
        ],
        ..NETWORK
    },
    ForeignCode {
        code: "0xcaa82f8f",
        names: &["ERROR_ADAL_INTERNET_SECURE_FAILURE"],
        title: "the sign-in service's certificate isn't accepted",
        cause: "the device's clock is wrong, or TLS is intercepted",
        checks: &[
            "compare the clock with the right time (`w32tm /resync`)",
            "see whether TLS is intercepted on the way",
        ],
        readiness: &[Check::DevClock, Check::NetTls],
        ..NETWORK
    },
    ForeignCode {
        code: "0xcaa1002d",
        names: &["ERROR_ADAL_OPERATION_PENDING"],
        title: "the sign-in library failed",
        cause: "a general failure; the sub-error or the server's own code beside it says which",
        checks: &["look for the sub-error in the log of the sign-in"],
        ops: &[Op::AwaitSignIn],
        readiness: &[],
        source: "entra-docs, hybrid join troubleshooting",
        ..NETWORK
    },
    ForeignCode {
        code: "0xcaa20003",
        names: &["ERROR_ADAL_SERVER_ERROR_INVALID_GRANT"],
        title: "the identity provider's token isn't accepted",
        cause: "Entra refused the SAML token of the federated identity provider",
        checks: &["look at the federation server's settings", "look for the server's own code in the sign-in logs"],
        ..FEDERATION
    },
    ForeignCode {
        code: "0xcaa90006",
        names: &["ERROR_ADAL_WSTRUST_TOKEN_REQUEST_FAIL"],
        title: "the token endpoint answered with an error",
        cause: "the WS-Trust exchange went through, and the token was refused",
        checks: PROVIDER,
        ..FEDERATION
    },
    ForeignCode {
        code: "0xcaa90014",
        names: &["ERROR_ADAL_WSTRUST_REQUEST_SECURITYTOKEN_FAILED"],
        title: "the identity provider gives no assertion",
        cause: "its WS-Trust answer is a fault",
        checks: PROVIDER,
        ..FEDERATION
    },
    ForeignCode {
        code: "0xcaa90017",
        names: &["ERROR_ADAL_PROTOCOL_NOT_SUPPORTED"],
        title: "the identity provider doesn't speak WS-Trust",
        cause: "a federated domain needs a provider with WS-Trust",
        checks: PROVIDER,
        ..FEDERATION
    },
    ForeignCode {
        code: "0xcaa90023",
        names: &["ERROR_ADAL_COULDNOT_DISCOVER_USERNAME_PASSWORD_ENDPOINT"],
        title: "the identity provider names no endpoint for passwords",
        cause: "its metadata lacks the WS-Trust endpoint for name and password",
        checks: PROVIDER,
        ..FEDERATION
    },
    ForeignCode {
        code: "0xcaa9002c",
        names: &["ERROR_ADAL_FAILED_TO_PARSE_XML"],
        title: "the identity provider's metadata can't be read",
        cause: "what came back isn't the XML that was asked for",
        checks: PROVIDER,
        ..FEDERATION
    },
];
