//! How a large file is cut for an upload in parts.

const MIB: u64 = 1 << 20;
/// A file up to this size is sent whole.
pub(super) const WHOLE: u64 = 64 * MIB;
/// Parts are no smaller; every store takes 5 MiB or more.
const SMALLEST: u64 = 16 * MIB;
/// No store takes more parts:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const MOST: u64 = 10_000;

/// Where each part of a file begins, and how many bytes it has.
pub(super) fn cut(bytes: u64) -> impl Iterator<Item = (u64, u64)> {
    let size = part_size(bytes);
    (0..bytes.div_ceil(size)).map(move |part| (part * size, size.min(bytes - part * size)))
}

fn part_size(bytes: u64) -> u64 {
    SMALLEST.max(bytes.div_ceil(MOST).next_multiple_of(MIB))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// More than any store takes: 50 TiB.
    const LARGEST: u64 = 50 << 40;

    proptest! {
        #[test]
        fn parts_cover_the_file_without_a_gap_and_are_never_too_many(bytes in 1..LARGEST) {
            let (mut end, mut parts) = (0, 0);
            for (start, size) in cut(bytes) {
                prop_assert_eq!(start, end);
                prop_assert!(size > 0 && size <= part_size(bytes));
                end += size;
                parts += 1;
                prop_assert!(size == part_size(bytes) || end == bytes, "only the last part is smaller");
            }
            prop_assert_eq!(end, bytes);
            prop_assert!(parts <= MOST);
        }
    }

    #[test]
    fn parts_grow_only_when_there_would_be_too_many() {
        assert_eq!(part_size(MOST * SMALLEST), SMALLEST);
        assert_eq!(part_size(MOST * SMALLEST + 1), SMALLEST + MIB);
        assert_eq!(cut(0).count(), 0);
    }
}
