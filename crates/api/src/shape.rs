//! How generated structures and enums are read and written.
//!
//! Members are optional without exception: whether one is required is for validation to say,
//! with the service's error. Unknown members are passed over, `null` is the same as absent, and
//! of a member given twice the last counts, as the services' own parser has it. Members are
//! written in the order of their names.
//!
//! The impls are written out by the macros below and not derived: a derived one would also take
//! a JSON list for a structure, and refuse a member given twice.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize};

use crate::validation::{Invalid, Path, Validate};

/// An enum of a model: its known values, and any other text as `Unknown`.
pub trait Enumeration {
    /// The known values, in the model's order.
    const VALUES: &'static [&'static str];

    /// The value as it stands on the wire.
    fn as_str(&self) -> &str;

    /// Whether the model names the value.
    fn is_known(&self) -> bool;
}

/// A structure that sets one member at a time.
pub(crate) trait Structure: Default {
    /// Reads the value of the member called `name`.
    fn read_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        members: &mut A,
    ) -> Result<(), A::Error>;
}

/// Reads a structure.
pub(crate) fn read<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Structure,
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(StructureVisitor(PhantomData))
}

/// Passes over a member that the model does not know.
pub(crate) fn skip<'de, A: MapAccess<'de>>(members: &mut A) -> Result<(), A::Error> {
    members.next_value::<IgnoredAny>().map(|_| ())
}

/// Writes a member that is present.
pub(crate) fn write_member<M: SerializeMap, T: Serialize>(
    mut members: M,
    name: &'static str,
    value: &Option<T>,
) -> Result<M, M::Error> {
    if let Some(value) = value {
        members.serialize_entry(name, value)?;
    }
    Ok(members)
}

struct StructureVisitor<T>(PhantomData<T>);

impl<'de, T: Structure> Visitor<'de> for StructureVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a structure")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<T, A::Error> {
        let mut structure = T::default();
        while let Some(Text(name)) = members.next_key()? {
            structure.read_member(&name, &mut members)?;
        }
        Ok(structure)
    }
}

/// Text, borrowed from the input where it stands there without escapes.
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text)))
    }
}

/// Structures, each with its members: `field: Type = "name on the wire"`, sorted by that name.
macro_rules! structures {
    ($($name:ident { $($field:ident: $type:ty = $wire:literal,)* })*) => {$(
        #[doc = concat!("The model's `", stringify!($name), "`.")]
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {$(
            #[doc = concat!("`", $wire, "`")]
            pub $field: Option<$type>,
        )*}

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let members = serializer.serialize_map(None)?;
                $(let members = $crate::shape::write_member(members, $wire, &self.$field)?;)*
                ::serde::ser::SerializeMap::end(members)
            }
        }

        impl ::berth_wire::json::WriteJson for $name {
            fn write_json(&self, out: &mut Vec<u8>) {
                let members = ::berth_wire::json::Members::open(out);
                $(let members = members.member(concat!("\"", $wire, "\":"), &self.$field);)*
                members.close();
            }
        }

        impl $crate::shape::Structure for $name {
            fn read_member<'de, A: ::serde::de::MapAccess<'de>>(
                &mut self,
                name: &str,
                members: &mut A,
            ) -> Result<(), A::Error> {
                match name {
                    $($wire => self.$field = members.next_value()?,)*
                    _ => $crate::shape::skip(members)?,
                }
                Ok(())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::shape::read(from)
            }
        }
    )*};
}

/// Enums, each with its values: `Variant = "value on the wire"`, in the model's order.
macro_rules! enumerations {
    ($($name:ident { $($variant:ident = $wire:literal,)* })*) => {$(
        #[doc = concat!("The model's `", stringify!($name), "`.")]
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $(
                #[doc = concat!("`", $wire, "`")]
                $variant,
            )*
            /// A value that the model does not name.
            Unknown(String),
        }

        impl $name {
            /// The values that the model names, in its order.
            pub const VALUES: &'static [&'static str] = &[$($wire),*];

            /// The value as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $wire,)*
                    Self::Unknown(value) => value,
                }
            }
        }

        impl $crate::shape::Enumeration for $name {
            const VALUES: &'static [&'static str] = Self::VALUES;

            fn as_str(&self) -> &str {
                self.as_str()
            }

            fn is_known(&self) -> bool {
                !matches!(self, Self::Unknown(_))
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                match value {
                    $($wire => Self::$variant,)*
                    _ => Self::Unknown(value.to_owned()),
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::berth_wire::json::WriteJson for $name {
            fn write_json(&self, out: &mut Vec<u8>) {
                self.as_str().write_json(out);
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <$crate::shape::Text<'_> as ::serde::Deserialize>::deserialize(from)?;
                Ok(Self::from(&*text.0))
            }
        }
    )*};
}

/// A service's faults: `Variant = ("Code", status)`.
macro_rules! faults {
    ($($variant:ident = ($code:literal, $status:literal),)*) => {
        /// The errors that the service's operations answer with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Fault {$(
            #[doc = concat!("`", $code, "`, status ", $status)]
            $variant,
        )*}

        impl Fault {
            /// The code on the wire.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                }
            }
        }

        impl From<Fault> for ::berth_wire::FaultCode {
            fn from(fault: Fault) -> Self {
                Self { code: fault.code().into(), status: fault.status() }
            }
        }
    };
}

/// Operations of the service whose model is `SERVICE`: `Name: Input => Output`.
macro_rules! operations {
    ($service:path; $($name:ident: $input:ty => $output:ty,)*) => {$(
        #[doc = concat!("The operation `", stringify!($name), "`.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl $crate::Operation for $name {
            const NAME: &'static str = stringify!($name);
            const SERVICE: &'static $crate::Service = &$service;
            type Input = $input;
            type Output = $output;
        }
    )*};
}

pub(crate) use {enumerations, faults, operations, structures};

structures! {
    Empty {}
}

impl Validate for Empty {
    fn validate(&self, _path: &mut Path) -> Result<(), Invalid> {
        Ok(())
    }
}
