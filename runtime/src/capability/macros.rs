//! Turns the table's text into trait impls and into data. Nothing else may implement the capability traits.

macro_rules! capability_table {
    ($(
        $kind:ident = $name:literal $meta:tt $(with $group:ident)? {
            $(@ $only:ident;)?
            metrics: [$($metric:ident),*];
            $($rows:tt)*
        }
    )*) => {
        $(
            capability_kind! { $meta $kind $name [$($metric),*] }
            capability_writes! { $meta $kind [$($only)?] }
            capability_rows! { [$($group)?] capability_impls_of [$meta $kind] { $($rows)* } }
        )*

        /// What the compiler says of each kind that is compiled in.
        #[cfg(test)]
        pub(super) fn compiled() -> Vec<super::agreement::Compiled> {
            let mut kinds = Vec::new();
            $(capability_compiled! { kinds $meta $kind $name })*
            kinds
        }

        /// Every row of the table, backends without their feature included.
        pub const TABLE: &[super::table::BackendRows] = &[
            $(super::table::BackendRows {
                backend: $name,
                writes: capability_is_written!([$($only)?]),
                metrics: &[$(crate::types::Metric::$metric),*],
                rows: capability_rows! { [$($group)?] capability_data_of [] { $($rows)* } },
            }),*
        ];
    };
}

// Hands the rows of the group, if there is one, and the backend's own to the macro `$then`.
macro_rules! capability_rows {
    ([] $then:ident $context:tt { $($rows:tt)* }) => { $then! { $context $($rows)* } };
    ([$group:ident] $then:ident $context:tt $rows:tt) => { $group! { $then $context $rows } };
}

#[cfg(test)]
macro_rules! capability_compiled {
    ($kinds:ident [$meta:meta] $kind:ident $name:literal) => {
        #[$meta]
        $kinds.push(super::agreement::compiled!(crate::backends::$kind, $name));
    };
}

macro_rules! capability_data_of {
    ([] $([$($class:ident),+] in $placement:ident: $ops:tt;)*) => {
        &[$(super::table::Row {
            classes: &[$(stringify!($class)),+],
            placement: super::Placement::$placement,
            native: capability_ops!($ops),
        }),*]
    };
}

macro_rules! capability_impls_of {
    ([$meta:tt $kind:ident] $([$($class:ident),+] in $placement:ident: $ops:tt;)*) => {
        $(capability_classes! { $meta $kind $placement $ops [$($class),+] })*
    };
}

macro_rules! capability_kind {
    ([$meta:meta] $kind:ident $name:literal [$($metric:ident),*]) => {
        #[$meta]
        impl super::Backend for crate::backends::$kind {
            const KINDS: &'static [&'static str] = &[$name];
        }
        $(capability_metric! { [$meta] $kind $metric })*
    };
}

macro_rules! capability_writes {
    ($meta:tt $kind:ident [read_only]) => {};
    ([$meta:meta] $kind:ident []) => {
        #[$meta]
        #[diagnostic::do_not_recommend]
        impl super::Writes for crate::backends::$kind {}
    };
}

macro_rules! capability_is_written {
    ([read_only]) => {
        false
    };
    ([]) => {
        true
    };
}

macro_rules! capability_metric {
    ([$meta:meta] $kind:ident $metric:ident) => {
        #[$meta]
        #[diagnostic::do_not_recommend]
        impl super::Ranks<super::op::metric::$metric> for crate::backends::$kind {}
    };
}

macro_rules! capability_classes {
    ($metas:tt $kind:ident $placement:ident $ops:tt [$($class:ident),+]) => {
        $(capability_row! { $metas $kind $placement $class $ops })+
    };
}

macro_rules! capability_row {
    ([$meta:meta] $kind:ident $placement:ident $class:ident [$($op:ident),*]) => {
        #[$meta]
        #[diagnostic::do_not_recommend]
        impl super::Stores<super::class::$class, super::placement::$placement> for crate::backends::$kind {}
        capability_impls! { [$meta] $kind $placement $class $($op)* }
    };
}

macro_rules! capability_impls {
    ($metas:tt $kind:ident $placement:ident $class:ident) => {};
    ([$meta:meta] $kind:ident $placement:ident $class:ident $op:ident $($rest:ident)*) => {
        #[$meta]
        #[diagnostic::do_not_recommend]
        impl super::Runs<super::op::$op, super::class::$class, super::placement::$placement> for crate::backends::$kind {}
        capability_impls! { [$meta] $kind $placement $class $($rest)* }
    };
}

macro_rules! capability_ops {
    ([$($op:ident),*]) => { &[$(super::Operation::$op),*] };
}

#[cfg(test)]
pub(super) use capability_compiled;
pub(super) use {
    capability_classes, capability_data_of, capability_impls, capability_impls_of, capability_is_written, capability_kind,
    capability_metric, capability_ops, capability_row, capability_rows, capability_table, capability_writes,
};
