//! As much JSON as the vectors need: objects, arrays, plain strings, integers, true, false, null.
//!
//! In: a file of tests/vectors. Out: values. Not here: escapes in strings other than `\"` and `\\`.

use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(i128),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    pub(crate) fn file(name: &str) -> Self {
        let path = format!("{}/../../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
        let mut parser = Parser { rest: text.as_bytes() };
        let value = parser.value();
        parser.space();
        assert!(parser.rest.is_empty(), "{path}: more after the value");
        value
    }

    pub(crate) fn get(&self, key: &str) -> &Self {
        let Self::Object(fields) = self else { panic!("no object: {self:?}") };
        fields.get(key).unwrap_or_else(|| panic!("no field {key}: {self:?}"))
    }

    pub(crate) fn list(&self) -> &[Self] {
        let Self::List(items) = self else { panic!("no list: {self:?}") };
        items
    }

    pub(crate) fn text(&self) -> &str {
        let Self::Text(text) = self else { panic!("no text: {self:?}") };
        text
    }

    pub(crate) fn bool(&self) -> bool {
        let Self::Bool(value) = self else { panic!("no bool: {self:?}") };
        *value
    }

    /// Numbers over 2^53 are written as decimal strings.
    pub(crate) fn number<T: TryFrom<i128>>(&self) -> T {
        let value = match self {
            Self::Number(value) => *value,
            Self::Text(text) => text.parse().unwrap_or_else(|_| panic!("no number: {text}")),
            _ => panic!("no number: {self:?}"),
        };
        T::try_from(value).unwrap_or_else(|_| panic!("out of range: {value}"))
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let text = self.text().trim_start_matches("0x");
        assert!(text.len().is_multiple_of(2), "odd hex: {text}");
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    pub(crate) fn array<const N: usize>(&self) -> [u8; N] {
        self.bytes().try_into().unwrap_or_else(|_| panic!("not {N} bytes: {self:?}"))
    }
}

struct Parser<'a> {
    rest: &'a [u8],
}

impl Parser<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn next(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().expect("JSON ends too early");
        self.rest = rest;
        *first
    }

    fn accept(&mut self, text: &str) -> bool {
        self.space();
        let found = self.rest.strip_prefix(text.as_bytes());
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn value(&mut self) -> Json {
        for (text, value) in
            [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
        {
            if self.accept(text) {
                return value;
            }
        }
        if self.accept("[") {
            return self.list();
        }
        if self.accept("{") {
            return self.object();
        }
        if self.accept("\"") {
            return Json::Text(self.string());
        }
        let size = self.rest.iter().take_while(|byte| b"-0123456789".contains(byte)).count();
        let (digits, rest) = self.rest.split_at(size);
        self.rest = rest;
        Json::Number(std::str::from_utf8(digits).unwrap().parse().expect("a number"))
    }

    fn list(&mut self) -> Json {
        let mut items = Vec::new();
        while !self.accept("]") {
            items.push(self.value());
            self.accept(",");
        }
        Json::List(items)
    }

    fn object(&mut self) -> Json {
        let mut fields = BTreeMap::new();
        while !self.accept("}") {
            assert!(self.accept("\""), "a key");
            let key = self.string();
            assert!(self.accept(":"), "a colon");
            fields.insert(key, self.value());
            self.accept(",");
        }
        Json::Object(fields)
    }

    fn string(&mut self) -> String {
        let mut bytes = Vec::new();
        loop {
            match self.next() {
                b'"' => return String::from_utf8(bytes).unwrap(),
                b'\\' => bytes.push(self.next()),
                byte => bytes.push(byte),
            }
        }
    }
}
