// SPDX-License-Identifier: GPL-2.0
//! Error numbers of sockets, which the kernel crate names only since Linux 7.3.

macro_rules! errnos {
    ($($name:ident)*) => {
        #[cfg(kernel_since_7_3)]
        pub(crate) use kernel::error::code::{$($name),*};

        $(
            #[cfg(not(kernel_since_7_3))]
            pub(crate) const $name: kernel::error::Error =
                named(kernel::bindings::$name as core::ffi::c_int);
        )*
    };
}

errnos! {
    EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EALREADY ECONNABORTED ECONNREFUSED ECONNRESET
    EDESTADDRREQ
    EHOSTUNREACH EINPROGRESS EISCONN ENETDOWN ENETUNREACH ENOBUFS ENOPROTOOPT ENOTCONN
    EOPNOTSUPP EPROTO EPROTONOSUPPORT ESHUTDOWN
}

#[cfg(not(kernel_since_7_3))]
const fn named(errno: core::ffi::c_int) -> kernel::error::Error {
    let Some(number) = core::num::NonZeroI32::new(-errno) else {
        return kernel::error::code::EINVAL;
    };
    // SAFETY: `Error` consists of one `NonZeroI32`, and the number of every errno is in the range
    // that it demands.
    unsafe { core::mem::transmute::<core::num::NonZeroI32, kernel::error::Error>(number) }
}
