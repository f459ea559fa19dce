/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/* Results of the calls: the DVS's own numbers (EDVS*), as its programs see them. */
#ifndef DVS_ERRORS_H
#define DVS_ERRORS_H

#define DVS_OK			0
#define DVS_EINTR		(-4)
#define DVS_E2BIG		(-7)
#define DVS_EAGAIN		(-11)
#define DVS_EBUSY		(-16)
#define DVS_EINVAL		(-22)
#define DVS_ERANGE		(-34)
#define DVS_ENOSYS		(-38)
#define DVS_EBADDEST		(-55)
#define DVS_ETIMEDOUT		(-61)
#define DVS_ENOTCONN		(-64)
#define DVS_ESHUTDOWN		(-65)
#define DVS_EMSGSIZE		(-73)
#define DVS_ELOCKED		(-101)
#define DVS_EBADCALL		(-102)
#define DVS_ESRCDIED		(-108)
#define DVS_EDSTDIED		(-109)
#define DVS_ETRAPDENIED		(-110)
#define DVS_EBADDCID		(-302)
#define DVS_EBADPROC		(-304)
#define DVS_EBADPID		(-305)
#define DVS_EENDPOINT		(-306)
#define DVS_ERMTPROC		(-308)
#define DVS_ENOTBIND		(-310)
#define DVS_EPROCRUN		(-320)
#define DVS_EPROCSTS		(-324)
#define DVS_EONCOPY		(-328)
#define DVS_EMIGRATE		(-332)
#define DVS_EGRPLEADER		(-334)
#define DVS_EPRIVILEGES		(-335)
#define DVS_EBINDTYPE		(-336)
#define DVS_ESLOTUSED		(-337)
#define DVS_ERSCBUSY		(-342)
#define DVS_EALLOCMEM		(-344)
#define DVS_EWOKENUP		(-348)

#endif
