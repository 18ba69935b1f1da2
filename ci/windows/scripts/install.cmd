@echo off
rem Installs the agent for Intune (Win32 app) and other tools that run a script as SYSTEM.
rem Settings: the first argument, else settings.json beside this script, else the folder `agents` beside it with one
rem file a device. Without any the settings that the device has stay.
setlocal
set SETTINGS=%~1
if "%SETTINGS%"=="" if exist "%~dp0settings.json" set SETTINGS=%~dp0settings.json
if "%SETTINGS%"=="" if exist "%~dp0agents\" set SETTINGS=%~dp0agents
if "%SETTINGS%"=="" (
  "%~dp0opsole.exe" agent install --output json
) else (
  "%~dp0opsole.exe" agent install --settings "%SETTINGS%" --output json
)
exit /b %ERRORLEVEL%
