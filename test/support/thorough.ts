/**
 * True for `THOROUGH=1 npm test`: every engine on every golden model, every way of scanning in every order. Without it each kind is
 * tried once or twice, so that the suite takes a quarter of an hour on two cores.
 */
export const THOROUGH = process.env['THOROUGH'] === '1';
