//! Problems of certificates.

use super::problem::{OwnProblem, row};

pub(super) static TABLE: &[OwnProblem] = &[
    row(
        "tls.damaged",
        "a certificate, a key or an authority can't be read as one",
        "name files in PEM form, or restore the folder `tls` from a backup",
    ),
    row("tls.ended", "the controller's certificate has ended", "renew it: `opsole tls renew` for our own authority"),
    row(
        "tls.exists",
        "there is an authority already",
        "renew the certificate with `opsole tls renew`; for other hosts move the folder away and begin anew",
    ),
    row("tls.make", "a certificate can't be made", "try again"),
    row(
        "tls.none",
        "there is no authority of our own",
        "make one with `opsole tls init --name HOST`, or name a certificate with `--tls-cert`",
    ),
    row("tls.not-its-key", "a key doesn't belong to the certificate", "name the key that the certificate was made for"),
    row(
        "tls.read",
        "a file of a certificate or key can't be read",
        "see that the file is there and that you may read it",
    ),
    row(
        "tls.write",
        "a file of a certificate or key can't be written",
        "check the folder's rights and the space on its disk",
    ),
];
