/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* A message: who sent it, what kind it is, and one of twelve shapes. */
#ifndef DVK_MESSAGE_H
#define DVK_MESSAGE_H

#define M3_STRING	14
#define MC_STRING	(M3_STRING - sizeof(int))
#define MD5_SIZE	16
#define SLOTS_BY_MSG	4

typedef struct { int m1i1, m1i2, m1i3; char *m1p1, *m1p2, *m1p3; } mess_1;
typedef struct { int m2i1, m2i2, m2i3; long m2l1, m2l2; char *m2p1; } mess_2;
typedef struct { int m3i1, m3i2; char *m3p1; char m3ca1[M3_STRING]; } mess_3;
typedef struct { long m4l1, m4l2, m4l3, m4l4, m4l5; } mess_4;
typedef struct { short m5c1, m5c2; int m5i1, m5i2; long m5l1, m5l2, m5l3; } mess_5;
typedef struct { char m6ca1[sizeof(mess_3)]; } mess_6;
typedef struct { int m7i1, m7i2, m7i3, m7i4; char *m7p1, *m7p2; } mess_7;
typedef struct { int m8i1, m8i2; char *m8p1, *m8p2, *m8p3, *m8p4; } mess_8;
typedef struct { int m9i1, m9l1; struct timespec m9t1; } mess_9;
typedef struct { int mAdst, mAnr, mAia[SLOTS_BY_MSG]; } mess_A;
typedef struct { long mBnr; char mBmd5[MD5_SIZE]; } mess_B;
typedef struct { int mCi1, mCi2, mCi3, mCi4; char mCca1[MC_STRING]; } mess_C;

typedef struct {
	int m_source;	/* written by every call that receives */
	int m_type;
	union {
		mess_1 m_m1;
		mess_2 m_m2;
		mess_3 m_m3;
		mess_4 m_m4;
		mess_5 m_m5;
		mess_6 m_m6;
		mess_7 m_m7;
		mess_8 m_m8;
		mess_9 m_m9;
		mess_A m_mA;
		mess_B m_mB;
		mess_C m_mC;
	} m_u;
} message;

#define m1_i1	m_u.m_m1.m1i1
#define m1_i2	m_u.m_m1.m1i2
#define m1_i3	m_u.m_m1.m1i3
#define m1_p1	m_u.m_m1.m1p1
#define m1_p2	m_u.m_m1.m1p2
#define m1_p3	m_u.m_m1.m1p3

#define m2_i1	m_u.m_m2.m2i1
#define m2_i2	m_u.m_m2.m2i2
#define m2_i3	m_u.m_m2.m2i3
#define m2_l1	m_u.m_m2.m2l1
#define m2_l2	m_u.m_m2.m2l2
#define m2_p1	m_u.m_m2.m2p1

#define m3_i1	m_u.m_m3.m3i1
#define m3_i2	m_u.m_m3.m3i2
#define m3_p1	m_u.m_m3.m3p1
#define m3_ca1	m_u.m_m3.m3ca1

#define m4_l1	m_u.m_m4.m4l1
#define m4_l2	m_u.m_m4.m4l2
#define m4_l3	m_u.m_m4.m4l3
#define m4_l4	m_u.m_m4.m4l4
#define m4_l5	m_u.m_m4.m4l5

#define m5_c1	m_u.m_m5.m5c1
#define m5_c2	m_u.m_m5.m5c2
#define m5_i1	m_u.m_m5.m5i1
#define m5_i2	m_u.m_m5.m5i2
#define m5_l1	m_u.m_m5.m5l1
#define m5_l2	m_u.m_m5.m5l2
#define m5_l3	m_u.m_m5.m5l3

#define m6_ca1	m_u.m_m6.m6ca1

#define m7_i1	m_u.m_m7.m7i1
#define m7_i2	m_u.m_m7.m7i2
#define m7_i3	m_u.m_m7.m7i3
#define m7_i4	m_u.m_m7.m7i4
#define m7_p1	m_u.m_m7.m7p1
#define m7_p2	m_u.m_m7.m7p2

#define m8_i1	m_u.m_m8.m8i1
#define m8_i2	m_u.m_m8.m8i2
#define m8_p1	m_u.m_m8.m8p1
#define m8_p2	m_u.m_m8.m8p2
#define m8_p3	m_u.m_m8.m8p3
#define m8_p4	m_u.m_m8.m8p4

#define m9_i1	m_u.m_m9.m9i1
#define m9_l1	m_u.m_m9.m9l1
#define m9_t1	m_u.m_m9.m9t1

#define mA_dst	m_u.m_mA.mAdst
#define mA_nr	m_u.m_mA.mAnr
#define mA_ia	m_u.m_mA.mAia

#define mB_nr	m_u.m_mB.mBnr
#define mB_md5	m_u.m_mB.mBmd5

#define mC_i1	m_u.m_mC.mCi1
#define mC_i2	m_u.m_mC.mCi2
#define mC_i3	m_u.m_mC.mCi3
#define mC_i4	m_u.m_mC.mCi4
#define mC_ca1	m_u.m_mC.mCca1

/* The message that tells of a notification. */
#define NOTIFY_MESSAGE		0x1000
#define NOTIFY_FROM(nr)		(NOTIFY_MESSAGE | (nr))
#define NOTIFY_SOURCE		m_source
#define NOTIFY_TYPE		m_type
#define NOTIFY_FLAGS		m9_i1
#define NOTIFY_ARG		m9_l1
#define NOTIFY_TIMESTAMP	m9_t1

/* For printf: texts are cut at the end of their field, which need not have a zero. */
#define MSG_HEAD_FORMAT		"source=%d type=%d "
#define MSG_HEAD_FIELDS(p)	(p)->m_source, (p)->m_type

#define MSG1_FORMAT	MSG_HEAD_FORMAT "i1=%d i2=%d i3=%d p1=%p p2=%p p3=%p\n"
#define MSG1_FIELDS(p)	MSG_HEAD_FIELDS(p), (p)->m1_i1, (p)->m1_i2, (p)->m1_i3, \
			(void *)(p)->m1_p1, (void *)(p)->m1_p2, (void *)(p)->m1_p3
#define MSG2_FORMAT	MSG_HEAD_FORMAT "i1=%d i2=%d i3=%d l1=%ld l2=%ld p1=%p\n"
#define MSG2_FIELDS(p)	MSG_HEAD_FIELDS(p), (p)->m2_i1, (p)->m2_i2, (p)->m2_i3, \
			(p)->m2_l1, (p)->m2_l2, (void *)(p)->m2_p1
#define MSG3_FORMAT	MSG_HEAD_FORMAT "i1=%d i2=%d p1=%p ca1=[%.14s]\n"
#define MSG3_FIELDS(p)	MSG_HEAD_FIELDS(p), (p)->m3_i1, (p)->m3_i2, \
			(void *)(p)->m3_p1, (p)->m3_ca1
#define MSG4_FORMAT	MSG_HEAD_FORMAT "l1=%ld l2=%ld l3=%ld l4=%ld l5=%ld\n"
#define MSG4_FIELDS(p)	MSG_HEAD_FIELDS(p), (p)->m4_l1, (p)->m4_l2, (p)->m4_l3, \
			(p)->m4_l4, (p)->m4_l5
#define MSG5_FORMAT	MSG_HEAD_FORMAT "c1=%d c2=%d i1=%d i2=%d l1=%ld l2=%ld l3=%ld\n"
#define MSG5_FIELDS(p)	MSG_HEAD_FIELDS(p), (p)->m5_c1, (p)->m5_c2, (p)->m5_i1, \
			(p)->m5_i2, (p)->m5_l1, (p)->m5_l2, (p)->m5_l3
#define MSG6_FORMAT	MSG_HEAD_FORMAT "ca1=[%.32s]\n"
#define MSG6_FIELDS(p)	MSG_HEAD_FIELDS(p), (p)->m6_ca1
#define MSG7_FORMAT	MSG_HEAD_FORMAT "i1=%d i2=%d i3=%d i4=%d p1=%p p2=%p\n"
#define MSG7_FIELDS(p)	MSG_HEAD_FIELDS(p), (p)->m7_i1, (p)->m7_i2, (p)->m7_i3, \
			(p)->m7_i4, (void *)(p)->m7_p1, (void *)(p)->m7_p2
#define MSG8_FORMAT	MSG_HEAD_FORMAT "i1=%d i2=%d p1=%p p2=%p p3=%p p4=%p\n"
#define MSG8_FIELDS(p)	MSG_HEAD_FIELDS(p), (p)->m8_i1, (p)->m8_i2, (void *)(p)->m8_p1, \
			(void *)(p)->m8_p2, (void *)(p)->m8_p3, (void *)(p)->m8_p4
#define MSG9_FORMAT	MSG_HEAD_FORMAT "i1=%d l1=%d t1=%ld.%09ld\n"
#define MSG9_FIELDS(p)	MSG_HEAD_FIELDS(p), (p)->m9_i1, (p)->m9_l1, \
			(long)(p)->m9_t1.tv_sec, (long)(p)->m9_t1.tv_nsec
#define MSGA_FORMAT	MSG_HEAD_FORMAT "dst=%d nr=%d ia=%d,%d,%d,%d\n"
#define MSGA_FIELDS(p)	MSG_HEAD_FIELDS(p), (p)->mA_dst, (p)->mA_nr, (p)->mA_ia[0], \
			(p)->mA_ia[1], (p)->mA_ia[2], (p)->mA_ia[3]
#define MSGB_FORMAT	MSG_HEAD_FORMAT "nr=%ld md5=[%.16s]\n"
#define MSGB_FIELDS(p)	MSG_HEAD_FIELDS(p), (p)->mB_nr, (p)->mB_md5
#define MSGC_FORMAT	MSG_HEAD_FORMAT "i1=%d i2=%d i3=%d i4=%d ca1=[%.10s]\n"
#define MSGC_FIELDS(p)	MSG_HEAD_FIELDS(p), (p)->mC_i1, (p)->mC_i2, (p)->mC_i3, \
			(p)->mC_i4, (p)->mC_ca1

#endif
