//! Matching by backtracking, bounded in steps and depth.

use super::{Class, Flags, MAX_DEPTH, MAX_STEPS, Part};

pub(super) struct Search<'t> {
    pub(super) text: &'t [char],
    pub(super) flags: Flags,
    pub(super) groups: Vec<Option<(usize, usize)>>,
    pub(super) steps: usize,
    pub(super) depth: usize,
}

/// What is to match after a part; true ends the search.
type Rest<'r, 't> = &'r mut dyn FnMut(&mut Search<'t>, usize) -> bool;

impl<'t> Search<'t> {
    /// Matches a part at a position, then the rest. Depth stays up once the bound is passed.
    pub(super) fn run(&mut self, part: &Part, at: usize, rest: Rest<'_, 't>) -> bool {
        self.steps += 1;
        if self.steps > MAX_STEPS || self.depth > MAX_DEPTH {
            return false;
        }
        match part {
            Part::One(class) => match self.text.get(at) {
                Some(c) if self.admits(class, *c) => rest(self, at + 1),
                _ => false,
            },
            Part::Start => {
                (at == 0 || (self.flags.lines && self.is_line_end(at - 1))) && rest(self, at)
            }
            Part::End => {
                (at == self.text.len() || (self.flags.lines && self.is_line_end(at)))
                    && rest(self, at)
            }
            Part::Group(inner, None) => self.run(inner, at, rest),
            Part::Group(inner, Some(group)) => {
                let before = self.groups.get(*group).copied().flatten();
                let found = self.run(inner, at, &mut |search, end| {
                    let outer = search.set_group(*group, Some((at, end)));
                    rest(search, end) || {
                        search.set_group(*group, outer);
                        false
                    }
                });
                if !found {
                    self.set_group(*group, before);
                }
                found
            }
            Part::Back(group) => {
                let (start, end) = self
                    .groups
                    .get(*group)
                    .copied()
                    .flatten()
                    .unwrap_or((at, at));
                let length = end - start;
                let same = (0..length).all(|offset| self.same(start + offset, at + offset));
                same && rest(self, at + length)
            }
            Part::Sequence(parts) => self.sequence(parts, at, rest),
            Part::Either(branches) => branches.iter().any(|branch| self.run(branch, at, rest)),
            Part::Repeat {
                part,
                least,
                most,
                greedy,
            } => match &**part {
                Part::One(class) => self.repeat_one(class, *least, *most, *greedy, at, rest),
                part => self.repeat(part, (*least, *most, *greedy), at, rest),
            },
        }
    }

    fn set_group(&mut self, group: usize, span: Option<(usize, usize)>) -> Option<(usize, usize)> {
        self.groups
            .get_mut(group)
            .and_then(|slot| std::mem::replace(slot, span))
    }

    fn sequence(&mut self, parts: &[Part], at: usize, rest: Rest<'_, 't>) -> bool {
        match parts.split_first() {
            None => rest(self, at),
            Some((part, others)) => self.run(part, at, &mut |search, next| {
                search.sequence(others, next, rest)
            }),
        }
    }

    /// Repetition of single characters without recursion.
    fn repeat_one(
        &mut self,
        class: &Class,
        least: usize,
        most: usize,
        greedy: bool,
        at: usize,
        rest: Rest<'_, 't>,
    ) -> bool {
        let mut possible = 0;
        while possible < most
            && self
                .text
                .get(at + possible)
                .is_some_and(|c| self.admits(class, *c))
        {
            possible += 1;
            self.steps += 1;
        }
        if possible < least {
            return false;
        }
        if greedy {
            (least..=possible).rev().any(|count| rest(self, at + count))
        } else {
            (least..=possible).any(|count| rest(self, at + count))
        }
    }

    fn repeat(
        &mut self,
        part: &Part,
        bounds: (usize, usize, bool),
        at: usize,
        rest: Rest<'_, 't>,
    ) -> bool {
        let (least, most, greedy) = bounds;
        if least == 0 && !greedy && rest(self, at) {
            return true;
        }
        if most > 0 {
            self.depth += 1;
            let fewer = (least.saturating_sub(1), most.saturating_sub(1), greedy);
            let found = self.run(part, at, &mut |search, next| {
                // An empty round cannot lead further.
                (next > at || least > 0) && search.repeat(part, fewer, next, rest)
            });
            if self.depth > MAX_DEPTH {
                return false;
            }
            self.depth -= 1;
            if found {
                return true;
            }
        }
        least == 0 && greedy && rest(self, at)
    }

    fn is_line_end(&self, at: usize) -> bool {
        self.text.get(at) == Some(&'\n')
    }

    fn same(&self, a: usize, b: usize) -> bool {
        match (self.text.get(a), self.text.get(b)) {
            (Some(a), Some(b)) => a == b || (self.flags.ignore_case && variants(*a).contains(b)),
            _ => false,
        }
    }

    fn admits(&self, class: &Class, c: char) -> bool {
        match class {
            Class::Any => self.flags.dot_all || !matches!(c, '\n' | '\r'),
            Class::Named { negated, test } => test(c) != *negated,
            Class::Set {
                negated,
                members,
                minus,
            } => {
                let inside = members.iter().any(|member| self.admits(member, c));
                inside != *negated && !minus.as_ref().is_some_and(|minus| self.admits(minus, c))
            }
            Class::Char(own) => *own == c || (self.flags.ignore_case && variants(c).contains(own)),
            Class::Range(from, to) => {
                let inside = |c: char| *from <= c && c <= *to;
                inside(c) || (self.flags.ignore_case && variants(c).into_iter().any(inside))
            }
        }
    }
}

/// The same letter in other cases.
fn variants(c: char) -> Vec<char> {
    let lower: Vec<char> = c.to_lowercase().collect();
    let mut all: Vec<char> = lower
        .iter()
        .flat_map(|l| l.to_uppercase())
        .chain(c.to_uppercase())
        .collect();
    all.extend(lower);
    all
}
