/* Where the mail of a domain is by now, for a mount whose servers cannot be
 * reached: it may have moved. */
#pragma once

#include "fs/options/options.h"

typedef struct FsDiscoveryAgain FsDiscoveryAgain;

/* As long as none of options->servers can be reached, the domain is asked from
 * time to time, as fs_discovery_run does, and what it says is tried after them.
 * @options must outlive the result. NULL where no domain was asked. */
FsDiscoveryAgain *fs_discovery_again_new(const FsOptions *options);
void fs_discovery_again_free(FsDiscoveryAgain *again); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsDiscoveryAgain, fs_discovery_again_free)
