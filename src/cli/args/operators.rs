//! Arguments of commands about those who may ask something of a run that goes on.

use clap::{Args, Subcommand};

use crate::operators::{Role, UserName};

/// `users …`.
#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// Add a user; the password is asked for
    #[command(
        after_help = "Examples:\n  opsole users add jane --role admin\n  opsole users add ci --role viewer --password-stdin < secret.txt"
    )]
    Add {
        /// Name: letters, digits, `.`, `-` and `_`
        #[arg(value_name = "NAME")]
        name: UserName,
        /// viewer, operator, approver or admin
        #[arg(long, value_name = "ROLE")]
        role: Role,
        /// Read the password from standard input: its first line
        #[arg(long)]
        password_stdin: bool,
    },
    /// Show all users
    #[command(after_help = "Examples:\n  opsole users list\n  opsole users list --output json")]
    List,
    /// Give a user another role, at once also where the user is signed in
    #[command(after_help = "Examples:\n  opsole users set-role jane approver")]
    SetRole {
        /// The user
        #[arg(value_name = "NAME")]
        name: UserName,
        /// viewer, operator, approver or admin
        #[arg(value_name = "ROLE")]
        role: Role,
    },
    /// Give a user another password; all sessions of the user end
    #[command(after_help = "Examples:\n  opsole users password jane")]
    Password {
        /// The user
        #[arg(value_name = "NAME")]
        name: UserName,
        /// Read the password from standard input: its first line
        #[arg(long)]
        password_stdin: bool,
    },
    /// Let a user sign in no more; all sessions of the user end
    #[command(after_help = "Examples:\n  opsole users disable jane")]
    Disable {
        /// The user
        #[arg(value_name = "NAME")]
        name: UserName,
    },
    /// Let a user sign in again
    #[command(after_help = "Examples:\n  opsole users enable jane")]
    Enable {
        /// The user
        #[arg(value_name = "NAME")]
        name: UserName,
    },
    /// Let a user try again who is locked out after wrong passwords
    #[command(after_help = "Examples:\n  opsole users unlock jane")]
    Unlock {
        /// The user
        #[arg(value_name = "NAME")]
        name: UserName,
    },
}

/// `drain`.
#[derive(Debug, Args)]
pub struct DrainArgs {
    /// The controller, where the run goes on elsewhere; the token is taken from `OPSOLE_API_TOKEN`
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}
