#include "engine/base/translation.h"

namespace engine {

void TranslatorCounts::operator+=(const TranslatorCounts& more)
{
    const auto& [b, g, h, n, r, u, q, f, o, t, p, e, d] = more;
    blocks += b;
    guest_bytes += g;
    host_bytes += h;
    nanoseconds += n;
    runs += r;
    unlinked += u;
    requests += q;
    faults += f;
    others += o;
    tlb_fills += t;
    pages_dropped += p;
    regions_emptied += e;
    drops_of_all += d;
}

}
