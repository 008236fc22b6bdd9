#pragma once
// Code that brings the guest's vector registers into the host's, and back to FpuState. ZMM16-31 and the opmasks stay there: only
// handlers use them.

#include "engine/translator/backend/assembler.h"

namespace engine::translator {

class VectorMoves {
public:
    explicit VectorMoves(Assembler& a);

    void load();
    void store();    // what runs then is not to meet upper halves

private:
    void move_low(bool to_host, u8 number);
    void move_high(bool to_host, u8 number);
    void move_zmm_high(bool to_host, u8 number);
    void clear_highs();
    void clear_zmm_highs();
    void look_at_highs();
    void look_at_zmm_highs();
    void load_zmm_highs();
    void store_zmm_highs();
    void store_highs();
    u8* jump_if_clear(std::size_t flag);
    void set(std::size_t flag, bool value);

    Assembler& a_;
    const bool wide_, very_wide_;    // the host has upper halves, and those of ZMM
    u8* some_zmm_ = nullptr;
};

}
