//! Little-endian numbers of a slice, by their place. What lies outside is none.

/// Returns a part of fixed length.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
/// Returns 16 bits.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}
/// Returns 32 bits.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}
/// Returns 64 bits.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_le_bytes)
}
/// Returns a part whose place and length are 64 bit numbers of a file.
pub(super) fn part(bytes: &[u8], at: u64, length: u64) -> Option<&[u8]> {
    let end = usize::try_from(at.checked_add(length)?).ok()?;
    bytes.get(usize::try_from(at).ok()?..end)
}
