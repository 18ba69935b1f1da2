//! What an administrator runs to grant a plan's permissions: Azure CLI, or Microsoft Graph PowerShell.
//!
//! Both may be run again: what is granted already stays as it is. What is granted beyond need stands at the end,
//! commented out: nothing is taken away that nobody decided on. App role ids are the same in every tenant
//! (app-roles.json); names from plans and tenants are quoted for the shell that reads them.

use std::fmt::Write as _;

use super::permissions::{TenantPermissions, why};
use crate::model::Permission;
use crate::plan::{Cloud, MigrationPlan};
use crate::readiness::permissions::{Comparison, Surplus};

/// Which shell the script is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantShell {
    /// Azure CLI in a POSIX shell.
    Az,
    /// Microsoft Graph PowerShell.
    GraphPowerShell,
}

/// Client id of Microsoft Graph itself, in every cloud.
const GRAPH_APP: &str = "00000003-0000-0000-c000-000000000000";

/// Returns the script for one tenant.
#[must_use]
pub fn grant_script(plan: &MigrationPlan, tenant: &TenantPermissions<'_>, shell: GrantShell) -> String {
    let mut text = String::new();
    let spec = tenant.spec;
    let graph = match &spec.cloud {
        Cloud::Real(cloud) => cloud.graph.trim_end_matches('/'),
        Cloud::Lab(_) => "https://graph.microsoft.com",
    };
    if shell == GrantShell::Az {
        text.push_str("#!/bin/sh\n");
    }
    let name = one_line(spec.name.as_str());
    let _ = writeln!(
        text,
        "# Permissions of opsole in the tenant {name} ({}), for the plan {}.",
        spec.id,
        one_line(&plan.name)
    );
    text.push_str("# A Privileged Role Administrator runs it. It may be run again: what is granted already stays.\n");
    match shell {
        GrantShell::Az => az_head(&mut text, &spec.id.to_string(), &spec.app.client_id, graph),
        GrantShell::GraphPowerShell => powershell_head(&mut text, &spec.id.to_string(), &spec.app.client_id),
    }
    let mut grant = |permission: Permission, why: &str| {
        let _ = writeln!(text, "\n# {}", one_line(why));
        let _ = match shell {
            GrantShell::Az => writeln!(text, "grant {} {}", permission.as_str(), permission.role_id()),
            GrantShell::GraphPowerShell => {
                writeln!(text, "Grant-One '{}' '{}'", permission.as_str(), permission.role_id())
            }
        };
    };
    for need in tenant.needs.asked() {
        grant(need.permission, &why(need));
    }
    // What no device needs now, and something wider that is to go gives today.
    let first = tenant.compared.as_ref().map(Comparison::first).unwrap_or_default();
    for permission in first.into_iter().filter(|one| tenant.needs.asked().all(|need| need.permission != *one)) {
        grant(permission, "in place of a wider one below");
    }
    removals(&mut text, tenant, shell);
    text
}

fn removals(text: &mut String, tenant: &TenantPermissions<'_>, shell: GrantShell) {
    let Some(compared) = &tenant.compared else { return };
    if compared.excess().next().is_none() {
        return;
    }
    text.push_str(
        "\n# Granted beyond need. Take the # away before those that nothing else of this application uses.\n",
    );
    for (name, surplus) in compared.excess() {
        let why = match surplus {
            Surplus::Redundant(by) => format!("redundant beside {}", by.as_str()),
            Surplus::Beyond(_) => "nothing needs more of it than the lines above grant".to_owned(),
            Surplus::Wide(_) => "wider than needed: the lines above grant what is".to_owned(),
            Surplus::Excess | Surplus::Idle => "nothing needs it".to_owned(),
        };
        let name = one_line(name);
        let _ = match shell {
            GrantShell::Az => writeln!(text, "# revoke {}   # {why}", sh(&name)),
            GrantShell::GraphPowerShell => writeln!(text, "# Revoke-One {}   # {why}", ps(&name)),
        };
    }
}

fn az_head(text: &mut String, tenant: &str, client_id: &str, graph: &str) {
    let (app, graph) = (sh(client_id), sh(graph));
    let _ = write!(
        text,
        r#"# Before: az login --tenant {tenant} --allow-no-subscriptions
set -eu
app={app}
graph={graph}
graph_app={GRAPH_APP}
tenant=$(az account show --query tenantId --output tsv)
if [ "$tenant" != {tenant} ]; then
  echo "signed in to $tenant, and this is for {tenant}" >&2
  exit 1
fi
principal=$(az ad sp show --id "$app" --query id --output tsv)
resource=$(az ad sp show --id "$graph_app" --query id --output tsv)
held=$(az rest --method GET --url "$graph/v1.0/servicePrincipals/$principal/appRoleAssignments?\$top=999" \
  --query "value[?resourceId=='$resource'].appRoleId" --output tsv)
# The registration is in the application's home tenant alone; elsewhere the assignment is all there is.
asked=$(az ad app permission list --id "$app" --query "[?resourceAppId=='$graph_app'].resourceAccess[].id" \
  --output tsv 2>/dev/null) || asked=none

# grant NAME APP_ROLE_ID: asks for it in the registration, and consents by assigning it.
grant() {{
  if [ "$asked" != none ] && ! printf '%s\n' "$asked" | grep -qiF "$2"; then
    az ad app permission add --id "$app" --api "$graph_app" --api-permissions "$2=Role" --only-show-errors
  fi
  if printf '%s\n' "$held" | grep -qiF "$2"; then
    echo "$1: granted already"
    return
  fi
  az rest --method POST --url "$graph/v1.0/servicePrincipals/$resource/appRoleAssignedTo" \
    --headers Content-Type=application/json --output none \
    --body "{{\"principalId\":\"$principal\",\"resourceId\":\"$resource\",\"appRoleId\":\"$2\"}}"
  echo "$1: granted"
}}

# revoke NAME: takes the assignment away; the registration goes on asking for it until it is edited.
revoke() {{
  role=$(az ad sp show --id "$graph_app" --query "appRoles[?value=='$1'].id" --output tsv)
  for id in $(az rest --method GET --url "$graph/v1.0/servicePrincipals/$principal/appRoleAssignments?\$top=999" \
    --query "value[?resourceId=='$resource' && appRoleId=='$role'].id" --output tsv); do
    az rest --method DELETE --url "$graph/v1.0/servicePrincipals/$principal/appRoleAssignments/$id" --output none
  done
  echo "$1: taken away"
}}
"#
    );
}

fn powershell_head(text: &mut String, tenant: &str, client_id: &str) {
    // A client id stands in an OData literal inside a PowerShell literal.
    let filter = ps(&format!("appId eq '{}'", client_id.replace('\'', "''")));
    let _ = write!(
        text,
        r#"#Requires -Modules Microsoft.Graph.Authentication, Microsoft.Graph.Applications
$ErrorActionPreference = 'Stop'
Connect-MgGraph -TenantId '{tenant}' -Scopes 'Application.Read.All', 'AppRoleAssignment.ReadWrite.All' -NoWelcome
$app = Get-MgServicePrincipal -Filter {filter}
$graph = Get-MgServicePrincipal -Filter "appId eq '{GRAPH_APP}'"
if (-not $app) {{ throw 'The application has no service principal in this tenant.' }}
$held = @(Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $app.Id -All |
    Where-Object {{ $_.ResourceId -eq $graph.Id }})

# Consents by assigning the app role.
function Grant-One([string] $Name, [string] $Role) {{
    if ($held.AppRoleId -contains $Role) {{ "${{Name}}: granted already"; return }}
    $null = New-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $app.Id -PrincipalId $app.Id `
        -ResourceId $graph.Id -AppRoleId $Role
    "${{Name}}: granted"
}}

# Takes the assignment away; the registration goes on asking for it until it is edited.
function Revoke-One([string] $Name) {{
    $role = ($graph.AppRoles | Where-Object {{ $_.Value -eq $Name }}).Id
    $held | Where-Object {{ $_.AppRoleId -eq $role }} | ForEach-Object {{
        Remove-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $app.Id -AppRoleAssignmentId $_.Id
    }}
    "${{Name}}: taken away"
}}
"#
    );
}

/// Returns text that can't leave its line: names come from plans and tenants.
fn one_line(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { '?' } else { sign }).collect()
}

/// Returns text as one word of a POSIX shell.
fn sh(text: &str) -> String {
    format!("'{}'", one_line(text).replace('\'', r"'\''"))
}

/// Returns text as a literal of PowerShell, which takes typographic quotes for quotes too.
fn ps(text: &str) -> String {
    let mut quoted = String::from("'");
    for sign in one_line(text).chars() {
        if matches!(sign, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            quoted.push(sign);
        }
        quoted.push(sign);
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::fixture::{Fleet, Join};
    use crate::dag::possible_ops;
    use crate::model::{Known, Scenario};
    use crate::readiness::permissions::{compare, needed};

    fn script(fleet: &mut Fleet, granted: &[Permission], shell: GrantShell) -> String {
        fleet.origin().granted = Known::Known(granted.to_vec());
        let needs = needed(&fleet.plan, possible_ops(&fleet.plan)).remove(0);
        let compared = compare(&needs, &needs, fleet.snapshot.tenants.get(&"contoso".into()));
        let tenant = TenantPermissions { spec: &fleet.plan.tenants[0], needs, compared: Some(compared) };
        grant_script(&fleet.plan, &tenant, shell)
    }

    /// Catches a script that leaves a permission out, grants another one's id, or takes away what nobody decided on.
    #[test]
    fn scripts_grant_what_is_asked_for() {
        let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
        let asked: Vec<Permission> =
            needed(&fleet.plan, possible_ops(&fleet.plan))[0].asked().map(|need| need.permission).collect();
        for (shell, verb, quote) in [(GrantShell::Az, "grant ", ""), (GrantShell::GraphPowerShell, "Grant-One ", "'")] {
            let text = script(&mut fleet, &[Permission::ConfigurationReadWriteAll], shell);
            let granted: Vec<&str> = text.lines().filter(|line| line.starts_with(verb)).collect();
            let wanted: Vec<String> = asked
                .iter()
                .map(|one| format!("{verb}{quote}{}{quote} {quote}{}{quote}", one.as_str(), one.role_id()))
                .collect();
            assert_eq!(granted, wanted);
            let taken =
                text.lines().filter(|line| line.to_lowercase().contains("revoke") && line.contains("Configuration."));
            let taken: Vec<&str> = taken.collect();
            assert!(matches!(taken.as_slice(), [one] if one.starts_with("# ")), "{taken:?}");
        }
    }

    /// Catches a name that leaves its quotes: an administrator would run what somebody wrote into a plan.
    #[test]
    fn names_stay_quoted() {
        let mut fleet = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1);
        fleet.plan.name = "x\nrm -rf /".to_owned();
        fleet.plan.tenants[0].app.client_id = "a'; rm -rf / #\nb\u{2019}; c".to_owned();
        let az = script(&mut fleet, &[], GrantShell::Az);
        assert!(az.contains(r"app='a'\''; rm -rf / #?b’; c'"), "{az}");
        let powershell = script(&mut fleet, &[], GrantShell::GraphPowerShell);
        assert!(powershell.contains("-Filter 'appId eq ''a''''; rm -rf / #?b’’; c'''"), "{powershell}");
        assert!(az.lines().chain(powershell.lines()).all(|line| !line.starts_with("rm ")));
    }
}
