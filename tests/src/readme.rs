//! What a README tells its reader to type: the shell blocks of its numbered steps.
//!
//! ```text
//! 1. Do this:        ─▶ Block { step: 1, commands: "echo this\n" }
//!
//!    ```sh
//!    echo this
//!    ```
//! ```

/// A shell block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Number of the step it stands in.
    pub step: u32,
    /// Its lines, without the indentation of the list.
    pub commands: String,
}

/// All `sh` blocks of the numbered steps, in order. Blocks before the first step are left out.
#[must_use]
pub fn steps(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut step, mut open) = (None, None);
    for line in text.lines() {
        let bare = line.trim_start();
        if let Some(indentation) = open {
            if bare == "```" {
                open = None;
            } else if let Some(block) = blocks.last_mut() {
                block.commands.push_str(line.get(indentation..).unwrap_or_default());
                block.commands.push('\n');
            }
            continue;
        }
        if let Some(number) = line.split_once(". ").and_then(|(number, _)| number.parse().ok()) {
            step = Some(number);
        }
        if let Some(step) = step.filter(|_| bare == "```sh") {
            blocks.push(Block { step, commands: String::new() });
            open = Some(line.len() - bare.len());
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_belong_to_their_steps() {
        let text = "```sh\nbefore\n```\n\n1. One:\n\n   ```sh\n   a\n     b\n   ```\n\n   ```yaml\n   no: shell\n   ```\n\
            2. Two. Then:\n\n   ```sh\n   c\n\n   d\n   ```\n\n   ```sh\n   e\n   ```\n";
        let block = |step, commands: &str| Block { step, commands: commands.to_owned() };
        assert_eq!(steps(text), [block(1, "a\n  b\n"), block(2, "c\n\nd\n"), block(2, "e\n")]);
    }
}
