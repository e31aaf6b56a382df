// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The three declarations that this crate is written in: [`structure!`], [`union!`] and [`command!`].

/// Declares structures whose fields stand in wire order, for both directions.
///
/// ```
/// evtpm_tpm_wire::structure! {
///     /// A pair.
///     pub struct Pair {
///         /// The first.
///         pub first: u8,
///         /// The second.
///         pub second: u16,
///     }
/// }
/// let pair = evtpm_tpm_wire::from_bytes(&[1, 0, 2], &evtpm_tpm_wire::Supported::ALL);
/// assert_eq!(pair, Ok(Pair { first: 1, second: 2 }));
/// ```
#[macro_export]
macro_rules! structure {
    ($($(#[$meta:meta])* pub struct $name:ident $(<$lifetime:lifetime>)? {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
    })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name $(<$lifetime>)? {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl<'a> $crate::Unmarshal<'a> for $name $(<$lifetime>)? {
            fn unmarshal(reader: &mut $crate::Reader<'a>) -> Result<Self, $crate::Rc> {
                let _ = &reader;
                Ok(Self { $($field: reader.read()?,)* })
            }
        }

        impl $(<$lifetime>)? $crate::Marshal for $name $(<$lifetime>)? {
            fn marshal(&self, writer: &mut $crate::Writer<'_>) -> Result<(), $crate::Overflow> {
                let _ = &writer;
                $(writer.write(&self.$field)?;)*
                Ok(())
            }
        }
    )* };
}

/// Declares tagged unions: a selector of interface type `by`, then the variant that it chooses.
///
/// A variant without content is a selector alone. The selector's type decides the response code of a bad selector; a
/// selector that its type allows and the union does not know is `TPM_RC_SELECTOR`.
#[macro_export]
macro_rules! union {
    ($($(#[$meta:meta])* pub enum $name:ident $(<$lifetime:lifetime>)? by $selector:ident {
        $($(#[$variant_meta:meta])* $variant:ident $(($type:ty))?,)*
    })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name $(<$lifetime>)? {
            $($(#[$variant_meta])* $variant $(($type))?,)*
        }

        impl $(<$lifetime>)? $name $(<$lifetime>)? {
            /// Returns the selector.
            pub const fn selector(&self) -> $selector {
                match self {
                    $(Self::$variant { .. } => $selector::$variant,)*
                }
            }
        }

        impl<'a> $crate::Unmarshal<'a> for $name $(<$lifetime>)? {
            fn unmarshal(reader: &mut $crate::Reader<'a>) -> Result<Self, $crate::Rc> {
                #[allow(unreachable_patterns, reason = "most unions know each value of their selector's type")]
                match reader.read()? {
                    $($selector::$variant => Ok(Self::$variant $((reader.read::<$type>()?))?),)*
                    _ => Err($crate::Rc::SELECTOR),
                }
            }
        }

        impl $(<$lifetime>)? $crate::Marshal for $name $(<$lifetime>)? {
            fn marshal(&self, writer: &mut $crate::Writer<'_>) -> Result<(), $crate::Overflow> {
                writer.write(&self.selector())?;
                match self {
                    $($crate::union!(@pattern $variant content $($type)?) => $crate::union!(@write writer content $($type)?),)*
                }
            }
        }
    )* };
    (@pattern $variant:ident $content:ident) => { Self::$variant };
    (@pattern $variant:ident $content:ident $type:ty) => { Self::$variant($content) };
    (@write $writer:ident $content:ident) => { Ok(()) };
    (@write $writer:ident $content:ident $type:ty) => { $writer.write($content) };
}

/// Declares a command: code, flags, handles with roles, parameters, response.
///
/// `handles` and `response` may be left out when there are none. `@user`, `@admin` and `@dup` mark a handle that needs
/// authorization, as "@" and the role do in Part 3. `@handle` marks the handle of a response.
///
/// ```
/// use evtpm_tpm_wire::{Command, TpmiDhObject, command};
///
/// command! {
///     READ_PUBLIC [];
///     handles ExampleHandles { object_handle: TpmiDhObject, }
///     /// An example.
///     command Example {}
///     response ExampleResponse { size: u16, }
/// }
/// assert_eq!(Example::SPEC.roles, [None]);
/// ```
#[macro_export]
macro_rules! command {
    (
        $code:ident [$($flag:ident),*];
        $(handles $handles:ident { $($(@$role:ident)? $handle:ident: $handle_type:ty,)* })?
        $(#[$meta:meta])*
        command $name:ident $(<$lifetime:lifetime>)? { $($field:ident: $type:ty,)* }
        $(response $response:ident { $(@handle $returned:ident,)? $($out:ident: $out_type:ty,)* })?
    ) => {
        $(
            #[doc = concat!("The handles of [`", stringify!($name), "`](struct@", stringify!($name), ").")]
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $handles {
                $(
                    #[doc = concat!("The handle `", stringify!($handle), "`.")]
                    pub $handle: $handle_type,
                )*
            }

            impl $crate::HandleArea for $handles {
                fn list(&self) -> $crate::HandleList {
                    let mut list = $crate::HandleList::new();
                    // Cannot overflow: Part 3 has at most three handles in a command.
                    $(let _ = list.push($crate::Handle::from(self.$handle));)*
                    list
                }
            }

            impl<'a> $crate::Unmarshal<'a> for $handles {
                fn unmarshal(reader: &mut $crate::Reader<'a>) -> Result<Self, $crate::Rc> {
                    let mut number = 0u8;
                    Ok(Self { $($handle: {
                        number = number.saturating_add(1);
                        reader.read().map_err(|rc: $crate::Rc| rc.at($crate::Subject::Handle(number)))?
                    },)* })
                }
            }

            impl $crate::Marshal for $handles {
                fn marshal(&self, writer: &mut $crate::Writer<'_>) -> Result<(), $crate::Overflow> {
                    $(writer.write(&self.$handle)?;)*
                    Ok(())
                }
            }
        )?

        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name $(<$lifetime>)? {
            $(
                #[doc = concat!("The parameter `", stringify!($field), "`.")]
                pub $field: $type,
            )*
        }

        impl<'a> $crate::Unmarshal<'a> for $name $(<$lifetime>)? {
            fn unmarshal(reader: &mut $crate::Reader<'a>) -> Result<Self, $crate::Rc> {
                let _ = &reader;
                #[allow(unused_mut, unused_variables, reason = "a command may be without parameters")]
                let mut number = 0u8;
                Ok(Self { $($field: {
                    number = number.saturating_add(1);
                    reader.read().map_err(|rc: $crate::Rc| rc.at($crate::Subject::Parameter(number)))?
                },)* })
            }
        }

        impl $(<$lifetime>)? $crate::Marshal for $name $(<$lifetime>)? {
            fn marshal(&self, writer: &mut $crate::Writer<'_>) -> Result<(), $crate::Overflow> {
                let _ = &writer;
                $(writer.write(&self.$field)?;)*
                Ok(())
            }
        }

        impl $(<$lifetime>)? $crate::Command for $name $(<$lifetime>)? {
            const SPEC: $crate::Spec = $crate::Spec {
                code: $crate::Cc::$code,
                flags: $crate::Flags::NONE $(.with($crate::Flags::$flag))*,
                roles: &[$($($crate::command!(@role $($role)?)),*)?],
                decrypt: $crate::first(&[$(<$type as $crate::Unmarshal<'_>>::SIZED),*]),
                encrypt: $crate::first(&[$($(<$out_type as $crate::Unmarshal<'_>>::SIZED),*)?]),
                returns_handle: $crate::command!(@returned $($($returned)?)?),
            };
            type Handles = $crate::command!(@type $($handles)?);
            type Response = $crate::command!(@type $($response)?);
        }

        $(
            #[doc = concat!("The response to [`", stringify!($name), "`](struct@", stringify!($name), ").")]
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $response {
                $(
                    #[doc = concat!("The handle `", stringify!($returned), "`.")]
                    pub $returned: $crate::Handle,
                )?
                $(
                    #[doc = concat!("The parameter `", stringify!($out), "`.")]
                    pub $out: $out_type,
                )*
            }

            impl $crate::Response for $response {
                fn handle(&self) -> Option<$crate::Handle> {
                    $crate::command!(@get self $($returned)?)
                }

                fn marshal_parameters(&self, writer: &mut $crate::Writer<'_>) -> Result<(), $crate::Overflow> {
                    let _ = &writer;
                    $(writer.write(&self.$out)?;)*
                    Ok(())
                }

                fn unmarshal(
                    handles: &mut $crate::Reader<'_>,
                    parameters: &mut $crate::Reader<'_>,
                ) -> Result<Self, $crate::Rc> {
                    let _ = (&handles, &parameters);
                    Ok(Self { $($returned: handles.read()?,)? $($out: parameters.read()?,)* })
                }
            }
        )?
    };
    (@role) => { None };
    (@role user) => { Some($crate::Role::User) };
    (@role admin) => { Some($crate::Role::Admin) };
    (@role dup) => { Some($crate::Role::Dup) };
    (@type) => { () };
    (@type $type:ident) => { $type };
    (@returned) => { false };
    (@returned $returned:ident) => { true };
    (@get $self:ident) => { None };
    (@get $self:ident $returned:ident) => { Some($self.$returned) };
}
