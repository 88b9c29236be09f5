// Where a webhook may go: a table of addresses and of URLs, from the plain to the tricky.

import { describe, expect, test } from "vitest";
import { isRefusal } from "../../../src/domain/refusal.ts";
import { addressKind } from "../../../src/domain/webhook/address.ts";
import { targetOf } from "../../../src/domain/webhook/target.ts";

const addresses: Readonly<Record<"public" | "private" | "forbidden", readonly string[]>> = {
  public: [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001:80b::200e",
    "2003::1",
    "::ffff:8.8.8.8",
    "::ffff:808:808",
    "64:ff9b::8.8.8.8",
    "64:ff9b::101:101",
  ],
  private: [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "::1",
    "0:0:0:0:0:0:0:1",
    "fc00::1",
    "fd12:3456::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
  ],
  forbidden: [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fd00:ec2::254",
    "ff02::1",
    "5f00::1",
    "4000::1",
    "",
    "localhost",
    "127.1",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "2130706433",
    "01.1.1.1",
    "1.1.1.256",
    "1.1.1",
    "1.1.1.1.1",
    "1::2::3",
    "1:2:3:4:5:6:7:8:9",
    "12345::1",
    "::1 ",
    ":",
    "::ffff:127.0.0.01",
    "[::1]",
  ],
};

describe.each(Object.entries(addresses))("%s", (kind, list) => {
  test.each(list)("%j", (address) => {
    expect(addressKind(address)).toBe(kind);
  });
});

describe("URLs of a webhook", () => {
  test.each([
    "https://example.org/hook",
    "https://example.org:8443/hook?x=1",
    "https://bücher.example/hook",
    "https://1.1.1.1/",
    "https://[2606:4700::1111]/",
    "https://EXAMPLE.org/",
  ])("%s is one", (url) => {
    expect(isRefusal(targetOf(url, false))).toBe(false);
  });

  test.each([
    "http://example.org/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://example.org/",
    "javascript:alert(1)",
    "example.org/hook",
    "//example.org/",
    "https://",
    "https://user@example.org/",
    "https://user:secret@example.org/",
    "https://example.org@127.0.0.1/",
    "https://example.org/#fragment",
    "https://example.org\\@127.0.0.1/",
    "https://localhost/",
    "https://a.localhost/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://2130706433/",
    "https://0/",
    "https://127.0.0.1./",
    "https://１２７.０.０.１/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[fe80::1]/",
    "https://10.0.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://8.8.2056/",
    // A URL parser drops or trims these: another host would be asked than the one that is shown.
    "https://exa\tmple.org/",
    "https://example.org\r\n/hook",
    "https://example.org/hook\n",
    "https://example.org/hook\u0000",
    "https://example.org/\u001b[2Jhook",
    "https://example.org/a b",
    "https://example.org/\u202egro.live",
    `https://example.org/${"x".repeat(2000)}`,
    "",
  ])("%s is none", (url) => {
    expect(targetOf(url, false)).toMatchObject({ code: "validation_failed" });
  });

  test.each(["http://127.0.0.1:9000/", "https://192.168.1.1/", "http://[::1]/", "http://box/"])(
    "%s is one where private addresses are allowed",
    (url) => {
      expect(isRefusal(targetOf(url, true))).toBe(false);
    },
  );

  test.each(["http://169.254.169.254/", "http://[fe80::1]/", "http://0.0.0.0/", "http://127.1/"])(
    "%s is none even there",
    (url) => {
      expect(isRefusal(targetOf(url, true))).toBe(true);
    },
  );
});
