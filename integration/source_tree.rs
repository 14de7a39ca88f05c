//! The shape of `src/`: no two files import each other, directly or through others.
//!
//! A file is a module. It imports another one by a `use` or by any other path that leads into it. A parent that only
//! declares its children imports nothing; one that uses or re-exports their items imports them, so that the children must
//! not use the parent's. Code that is compiled for tests alone is not looked at.
//!
//! And the files of the workspace's own directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, Macro, UseTree};

use crate::harness::program::project;

/// A module's path below the crate: `["config", "load"]`; empty for `lib.rs`.
type Module = Vec<String>;

/// The modules that each module imports.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = read(&project().join("src"));
    assert!(imports.len() > 50, "only {} files found", imports.len());
    let circles = circles(&imports);
    let shown: Vec<String> = circles.iter().map(|circle| show(circle, &imports)).collect();
    assert!(circles.is_empty(), "files import each other in {} circles:\n{}", circles.len(), shown.join("\n"));
}

/// What is not text got there by mistake.
#[test]
fn the_files_beside_the_manifest_are_text() {
    let entries = fs::read_dir(project()).unwrap().map(|entry| entry.unwrap().path());
    let (text, other): (Vec<_>, Vec<_>) = entries
        .filter(|path| path.is_file())
        .partition(|path| String::from_utf8(fs::read(path).unwrap()).is_ok_and(|text| !text.contains('\0')));
    assert!(text.len() > 5 && other.is_empty(), "{other:?}");
}

#[test]
fn circles_are_found() {
    let files = [
        ("lib", "pub mod a; pub mod b; pub mod c;"),
        ("a", "use crate::b::{self, Thing}; mod child; pub fn f() {}"),
        ("a/child", "/// [`super::f`]\npub(super) fn g() {}"),
        ("b", "fn f() { log!(\"{}\", crate::c::d::NUMBER) }"),
        ("c", "pub mod d; pub use self::d::NUMBER;"),
        ("c/d", "pub const NUMBER: u8 = super::MAX; #[cfg(test)] mod tests { use crate::a::f; }"),
        ("e", "use std::fmt; impl crate::a::Trait for super::e::Own {}"),
    ];
    let modules: BTreeMap<Module, &str> = files.into_iter().map(|(path, text)| (module(path), text)).collect();
    let imports = modules.iter().map(|(module, text)| (module.clone(), imports_of(module, text, &modules))).collect();
    assert_eq!(circles(&imports), [BTreeSet::from([module("c"), module("c/d")])]);
    let of = |path: &str| imports[&module(path)].iter().map(|module| module.join("/")).collect::<Vec<_>>();
    assert_eq!((of("a"), of("b"), of("e")), (vec!["b".to_owned()], vec!["c/d".to_owned()], vec!["a".to_owned()]));
}

/// The module of a file: its path in `src/` without the extension.
fn module(path: &str) -> Module {
    path.split('/').filter(|part| !matches!(*part, "lib" | "mod")).map(str::to_owned).collect()
}

fn read(root: &Path) -> Imports {
    let mut texts = BTreeMap::new();
    collect(root, "", &mut texts);
    texts.iter().map(|(module, text)| (module.clone(), imports_of(module, text, &texts))).collect()
}

fn collect(directory: &Path, prefix: &str, texts: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() && name != "tests" {
            collect(&entry.path(), &format!("{prefix}{name}/"), texts);
        } else if let Some(stem) = name.strip_suffix(".rs").filter(|stem| !matches!(*stem, "tests" | "main")) {
            texts.insert(module(&format!("{prefix}{stem}")), fs::read_to_string(entry.path()).unwrap());
        }
    }
}

fn imports_of<T>(own: &Module, text: &str, modules: &BTreeMap<Module, T>) -> BTreeSet<Module> {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", own.join("/")));
    let mut paths = Paths::default();
    paths.visit_file(&file);
    let imported = paths.0.into_iter().filter_map(|path| target(own, &path, modules));
    imported.filter(|module| module != own).collect()
}

/// The module that a path leads into, if it is one of the crate's.
fn target<T>(own: &Module, path: &[String], modules: &BTreeMap<Module, T>) -> Option<Module> {
    let first = path.first()?.as_str();
    let supers = path.iter().take_while(|part| *part == "super").count();
    let mut absolute: Module = match first {
        "crate" => path[1..].to_vec(),
        "self" => [own, &path[1..]].concat(),
        "super" => [&own[..own.len().checked_sub(supers)?], &path[supers..]].concat(),
        _ => {
            let child = [own.as_slice(), &path[..1]].concat();
            modules.contains_key(&child).then(|| [own, path].concat())?
        }
    };
    while !modules.contains_key(&absolute) {
        absolute.pop()?;
    }
    Some(absolute)
}

/// All paths of a file.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl Paths {
    fn add_use(&mut self, prefix: &[String], tree: &UseTree) {
        let with = |name: String| [prefix, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.add_use(&with(path.ident.to_string()), &path.tree),
            UseTree::Name(name) => self.0.push(with(name.ident.to_string())),
            UseTree::Rename(name) => self.0.push(with(name.ident.to_string())),
            UseTree::Glob(_) => self.0.push(prefix.to_vec()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(prefix, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            _ => &[],
        };
        if !attributes.iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_use(&[], &item.tree);
    }

    /// `pub(super)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    /// The arguments of a macro are tokens; paths among them are found by their first word.
    fn visit_macro(&mut self, mac: &'ast Macro) {
        let tokens = mac.tokens.to_string();
        let words: Vec<&str> = tokens.split_whitespace().collect();
        for (at, _) in words.iter().enumerate().filter(|(_, word)| matches!(**word, "crate" | "super" | "self")) {
            let mut path = vec![words[at].to_owned()];
            for pair in words[at + 1..].chunks_exact(2).take_while(|pair| pair[0] == "::") {
                path.push(pair[1].to_owned());
            }
            self.0.extend((path.len() > 1).then_some(path));
        }
        visit::visit_macro(self, mac);
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
}

/// The sets of modules that reach each other.
fn circles(imports: &Imports) -> Vec<BTreeSet<Module>> {
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        imports.keys().map(|module| (module, reachable(module, imports))).collect();
    let mut circles: Vec<BTreeSet<Module>> = Vec::new();
    for (module, reach) in &reached {
        let circle: BTreeSet<Module> =
            reach.iter().filter(|other| reached[**other].contains(module)).map(|other| (*other).clone()).collect();
        if !circle.is_empty() && !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    circles
}

/// What is reached from a module by one import or more.
fn reachable<'a>(module: &Module, imports: &'a Imports) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Module> = imports[module].iter().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(&imports[module]);
        }
    }
    reached
}

fn show(circle: &BTreeSet<Module>, imports: &Imports) -> String {
    let lines = circle.iter().map(|module| {
        let to: Vec<String> = imports[module].intersection(circle).map(|module| module.join("/")).collect();
        format!("  {} imports {}", module.join("/"), to.join(", "))
    });
    lines.collect::<Vec<_>>().join("\n")
}
