# Detection rule of an Intune Win32 app: the service is there, and the program has at least this version.
# Intune takes exit code 0 with something on standard output for "installed".
$wanted = [version]'@VERSION@'
$service = Get-ItemProperty -Path 'HKLM:\SYSTEM\CurrentControlSet\Services\Opsole' -ErrorAction SilentlyContinue
if (-not $service) { exit 1 }
$program = Join-Path $env:ProgramW6432 'Opsole\opsole.exe'
if (-not (Test-Path -LiteralPath $program)) { exit 1 }
$found = [version](((& $program --version) -split ' ')[1] -replace '-.*$', '')
if ($found -lt $wanted) { exit 1 }
Write-Output "opsole agent $found"
exit 0
