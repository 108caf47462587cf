// SPDX-License-Identifier: GPL-2.0
/* Time, deferred work, RCU, random numbers and cryptography. */
#include <crypto/curve25519.h>
#include <crypto/sha2.h>
#include <crypto/utils.h>
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/workqueue.h>
#include <uapi/linux/eccp_socket.h>

#include "internal.h"

int shim_family = AF_ECCP;
module_param_named(family, shim_family, int, 0444);
MODULE_PARM_DESC(family, "number of the socket family (default 18)");

int shim_protocol = 253;
module_param_named(protocol, shim_protocol, int, 0444);
MODULE_PARM_DESC(protocol, "IP protocol number of the native encapsulation (default 253)");

int shim_table_bits = 16;
module_param_named(table_bits, shim_table_bits, int, 0444);
MODULE_PARM_DESC(table_bits, "base-2 logarithm of the size of the flow table, 8 to 24 (default 16)");

struct shim_work {
	struct delayed_work dw;
	struct rcu_head rcu;
	void *owner;
	u32 what;
};

struct workqueue_struct *shim_wq;

int shim_wq_init(void)
{
	shim_wq = alloc_workqueue("eccp", WQ_UNBOUND, 0);
	return shim_wq ? 0 : -ENOMEM;
}

/* Waits for running work to leave the module. */
void shim_wq_exit(void)
{
	destroy_workqueue(shim_wq);
}

static void shim_work_run(struct work_struct *w)
{
	struct shim_work *work = container_of(to_delayed_work(w), struct shim_work, dw);

	eccp_rust_work(work->owner, work->what);
}

struct shim_work *shim_work_new(void)
{
	struct shim_work *work = kzalloc(sizeof(*work), GFP_KERNEL);

	if (!work)
		return NULL;
	INIT_DELAYED_WORK(&work->dw, shim_work_run);
	return work;
}

void shim_work_own(struct shim_work *work, void *owner, u32 what)
{
	work->owner = owner;
	work->what = what;
}

/* True when the work was pending already, so that no new reference is needed. */
bool shim_work_arm(struct shim_work *work, u64 delay_us)
{
	unsigned long delay = delay_us ? usecs_to_jiffies(min_t(u64, delay_us, UINT_MAX / 2)) : 0;

	return mod_delayed_work(shim_wq, &work->dw, delay);
}

/* True when a pending run was taken back. */
bool shim_work_cancel(struct shim_work *work)
{
	return cancel_delayed_work(&work->dw);
}

static void shim_work_readers_gone(struct rcu_head *rcu)
{
	mod_delayed_work(shim_wq, &container_of(rcu, struct shim_work, rcu)->dw, 0);
}

void shim_work_after_readers(struct shim_work *work)
{
	call_rcu(&work->rcu, shim_work_readers_gone);
}

/* Waits for all work that readers held up, and for all work that is due. */
void shim_work_settle(void)
{
	rcu_barrier();
	flush_workqueue(shim_wq);
}

void shim_work_free(struct shim_work *work)
{
	kfree(work);
}

u64 shim_now_us(void)
{
	return ktime_to_us(ktime_get_boottime());
}

void shim_bh_disable(void)
{
	local_bh_disable();
}

void shim_bh_enable(void)
{
	local_bh_enable();
}

void shim_random(u8 *buf, u32 len)
{
	get_random_bytes(buf, len);
}

void shim_module_get(void)
{
	__module_get(THIS_MODULE);
}

void shim_module_put(void)
{
	module_put(THIS_MODULE);
}

bool shim_x25519(u8 *out, const u8 *secret, const u8 *point)
{
	return curve25519(out, secret, point);
}

bool shim_x25519_public(u8 *out, const u8 *secret)
{
	return curve25519_generate_public(out, secret);
}

void shim_sha256(const struct shim_slice *parts, size_t n, u8 *out)
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	for (size_t i = 0; i < n; i++)
		sha256_update(&ctx, parts[i].ptr, parts[i].len);
	sha256_final(&ctx, out);
}

void shim_hmac_sha256(const u8 *key, size_t key_len, const struct shim_slice *parts, size_t n, u8 *out)
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_init_usingrawkey(&ctx, key, key_len);
	for (size_t i = 0; i < n; i++)
		hmac_sha256_update(&ctx, parts[i].ptr, parts[i].len);
	hmac_sha256_final(&ctx, out);
}

bool shim_equal(const u8 *a, const u8 *b, size_t len)
{
	return crypto_memneq(a, b, len) == 0;
}
