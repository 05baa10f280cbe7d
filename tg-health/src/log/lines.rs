//! A log comes in pieces that end anywhere.

/// Bytes of a line that are kept; what is longer is cut.
const LONGEST: usize = 64 * 1024;

/// Makes lines of pieces.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Hands out the lines that are whole now.
    pub(crate) fn add(&mut self, piece: &[u8], mut hear: impl FnMut(&str)) {
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            if self.begun.is_empty() {
                hear(&String::from_utf8_lossy(line));
            } else {
                self.keep(line);
                hear(&String::from_utf8_lossy(&self.begun));
                self.begun.clear();
            }
            rest = after;
        }
        self.keep(rest);
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LONGEST.saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&part[..part.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_wherever_the_pieces_end() {
        let text = b"one\ntwo \xff\n\nthree\nnot ended";
        for size in 1..=text.len() {
            let (mut lines, mut heard) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.add(piece, |line| heard.push(line.to_owned()));
            }
            assert_eq!(heard, ["one", "two \u{fffd}", "", "three"], "pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_memory_than_a_long_one() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            lines.add(&[b'x'; 4096], |_| {});
        }
        assert_eq!(lines.begun.len(), LONGEST);
        lines.add(b"\n", |line| assert_eq!(line.len(), LONGEST));
    }
}
