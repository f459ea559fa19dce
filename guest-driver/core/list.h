/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/* A doubly linked list whose links sit in its members. An unlinked link points to itself. */
#ifndef DVS_LIST_H
#define DVS_LIST_H

struct dvs_list {
	struct dvs_list *next;
	struct dvs_list *prev;
};

#define dvs_entry(ptr, type, member) \
	((type *)((char *)(ptr) - __builtin_offsetof(type, member)))

#define dvs_for_each(pos, head) \
	for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

#define dvs_for_each_safe(pos, tmp, head)                                     \
	for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head);      \
	     (pos) = (tmp), (tmp) = (pos)->next)

static inline void dvs_list_init(struct dvs_list *l)
{
	l->next = l;
	l->prev = l;
}

static inline int dvs_list_empty(const struct dvs_list *l)
{
	return l->next == l;
}

static inline void dvs_list_push(struct dvs_list *head, struct dvs_list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

/* Safe on an unlinked link. */
static inline void dvs_list_del(struct dvs_list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	dvs_list_init(l);
}

/* Makes `to` the list of all members of `from`, which is empty then. */
static inline void dvs_list_move(struct dvs_list *to, struct dvs_list *from)
{
	dvs_list_init(to);
	if (dvs_list_empty(from))
		return;
	*to = *from;
	to->next->prev = to;
	to->prev->next = to;
	dvs_list_init(from);
}

#endif
