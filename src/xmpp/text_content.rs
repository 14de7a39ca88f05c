//! Collects the text of an element.

use xso::exports::rxml::Event;

/// The text of an element, without that of its children. Without `Debug`: it may be a connection request's password.
#[derive(Default)]
pub(super) struct TextContent {
    pub(super) text: String,
    /// Whether the element has child elements.
    pub(super) has_children: bool,
    depth: usize,
}

impl TextContent {
    /// Takes the next event within the element. Returns true at the element's end.
    pub(super) fn feed(&mut self, event: Event) -> bool {
        match event {
            Event::StartElement(..) => {
                self.has_children = true;
                self.depth = self.depth.saturating_add(1);
            }
            Event::EndElement(..) if self.depth == 0 => return true,
            Event::EndElement(..) => self.depth -= 1,
            Event::Text(_, text) if self.depth == 0 => self.text.push_str(&text),
            Event::Text(..) | Event::XmlDeclaration(..) => {}
        }
        false
    }
}
