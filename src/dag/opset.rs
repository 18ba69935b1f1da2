//! A set of operations in one word: a hundred thousand devices carry one each.

use crate::model::Op;

/// A set of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OpSet(u64);

impl OpSet {
    /// Returns the set with one more operation.
    #[must_use]
    pub const fn with(self, op: Op) -> Self {
        Self(self.0 | 1 << op as u8)
    }
    /// Returns the set without one operation.
    #[must_use]
    pub const fn without(self, op: Op) -> Self {
        Self(self.0 & !(1 << op as u8))
    }
    /// Says whether an operation is in it.
    #[must_use]
    pub const fn has(self, op: Op) -> bool {
        self.0 & (1 << op as u8) != 0
    }
    /// Says whether every operation of the other set is in it.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Returns how many there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }
    /// Says whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Returns the operations in order of the catalogue.
    pub fn iter(self) -> impl Iterator<Item = Op> {
        Op::ALL.iter().copied().filter(move |op| self.has(*op))
    }
}

impl FromIterator<Op> for OpSet {
    fn from_iter<I: IntoIterator<Item = Op>>(ops: I) -> Self {
        ops.into_iter().fold(Self::default(), Self::with)
    }
}
