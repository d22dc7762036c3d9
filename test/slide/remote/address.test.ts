import { describe, expect, it } from 'vitest';
import { slideIdAt } from '#src/slide/open.js';
import { fileNameAt, isAddress, parseAddress, withoutSecrets } from '#src/slide/remote/address.js';
import { failureOf } from '../fixture.js';

const SIGNED = 'https://bucket.s3.example/case%201/slide.svs?X-Amz-Credential=AKIA7&X-Amz-Signature=5ecre7';

describe('an address of a slide', () => {
  it('is told by its scheme', () => {
    expect(['https://a/b.svs', 'HTTP://a/b'].map(isAddress)).toEqual([true, true]);
    expect(['/data/slide.svs', 'slide.svs', 's3://bucket/slide.svs', 'C:\\slide.svs'].map(isAddress)).toEqual([
      ...[false, false, false, false],
    ]);
  });

  it('is shown without signature, user, password and fragment', () => {
    expect(withoutSecrets(SIGNED)).toBe('https://bucket.s3.example/case%201/slide.svs');
    expect(withoutSecrets('http://ann:5ecre7@host:8080/a.svs')).toBe('http://host:8080/a.svs');
    expect(withoutSecrets('http://host/a.ome.tif?token=5ecre7#2')).toBe('http://host/a.ome.tif#2');
    expect(withoutSecrets('http://ann:5ecre7@ho st/a.svs')).toBe('an address');
    expect(withoutSecrets('/data/a b.svs')).toBe('/data/a b.svs');
  });

  it('says nothing of what it cannot read', async () => {
    const { line, code } = await failureOf(() => parseAddress('https://ann:5ecre7@'));
    expect(code).toBe('CONFIG_INVALID');
    expect(line).not.toContain('5ecre7');
  });

  it('asks with user and password, decoded, in a header and not in the address', () => {
    const { url, authorization, hasSecret } = parseAddress('http://ann:p%40ss@host/a.svs');
    expect(url.href).toBe('http://host/a.svs');
    expect(Buffer.from(authorization!.replace('Basic ', ''), 'base64').toString()).toBe('ann:p@ss');
    expect(hasSecret).toBe(true);
    expect(parseAddress('http://host/a.svs')).toMatchObject({ authorization: undefined, hasSecret: false });
  });

  it('is the same slide however it is signed, and another one by any other part of its query', () => {
    const identity = (query: string) => parseAddress(`https://host/a.svs${query}`).identity;
    const other = SIGNED.replace('5ecre7', 'an0ther');
    expect(parseAddress(SIGNED).identity).toBe(parseAddress(other).identity);
    expect(identity('?sv=2024&sig=1')).toBe(identity(''));
    expect(identity('?id=7')).not.toBe(identity('?id=8'));
    expect(identity('?id=7&b=1&X-Amz-Signature=x')).toBe(identity('?b=1&id=7'));
    expect(identity('?secret=5ecre7')).not.toContain('5ecre7');
  });

  it('names the slide by its last part', () => {
    expect(fileNameAt('https://host/a/case%201.svs')).toBe('case 1.svs');
    expect(slideIdAt('https://host/a/slide.svs?X-Amz-Signature=x')).toBe('slide');
    expect(slideIdAt('https://host/a/slide.ome.tif#2')).toMatch(/^slide_ome-[0-9a-f]{8}-scene2$/);
    expect(slideIdAt('https://host/')).toBe('slide');
    expect(slideIdAt('https://host/%E4.svs')).toMatch(/^_E4-[0-9a-f]{8}$/);
  });
});
