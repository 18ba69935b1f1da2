@echo off
rem Takes the agent away, with its program; refuses while a migration is under way.
"%~dp0opsole.exe" agent uninstall --output json
exit /b %ERRORLEVEL%
