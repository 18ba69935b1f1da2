//! What happens next: the sans-IO machine of a run. Not built yet.
