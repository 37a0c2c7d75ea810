/* The UIDs of a mailbox in the order of its messages' names. */
#pragma once

#include "cache/index-records.h"

#include <glib.h>

/* Calls @visit with all records of the mailbox in their order, each time it is
 * called; FALSE if they cannot be had. */
typedef void (*CacheVisitFunc)(const CacheRecords *records, gpointer user_data);
typedef gboolean (*CacheScanFunc)(CacheVisitFunc visit, gpointer visit_data,
                                  gpointer user_data);

/* An array of guint32, which the caller frees; NULL if @scan fails. Needs
 * twenty octets a message, however long names are. */
GArray *cache_index_order(gboolean by_sent_date, CacheScanFunc scan,
                          gpointer user_data);
