/**
 * Letters of other scripts that look like Latin ones, after the idea of Unicode Technical Standard
 * 39. A selection, not the standard's table: Cyrillic, Greek, Armenian, Cherokee and Latin letters
 * that readers take for a-z at a glance. What compatibility normalisation folds by itself (full
 * width, mathematical, circled letters) is not listed.
 */

/** "the Latin letters they pass for" to "the letters", position by position. */
const LOOKALIKES: readonly (readonly [string, string])[] = [
  // Cyrillic
  ["ABCEHIJKMOPSTXY", "АВСЕНІЈКМОРЅТХУ"],
  ["abcehhijkmoprstuxyyvgdlnqw", "аьсенһіјкморгѕтцхуүѵԍԁӏпԛԝ"],
  // Greek
  ["ABEZHIKMNOPTYX", "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"],
  ["abeiknoptuvwyx", "αβεικηορτυνωγχ"],
  // Armenian
  ["hnouquS", "հոօսզմՏ"],
  // Cherokee
  ["DRTiAJWMHZSVLCPKBG", "ᎠᎡᎢᎥᎪᎫᎳᎷᎻᏃᏚᏙᏞᏟᏢᏦᏴᏀ"],
  // Latin with a stroke or hook or without a dot: no decomposition reaches them
  ["ilodhbtzgaekj", "ıłøđħƀŧƶǥⱥɇꝁɉ"],
  // Latin small capitals
  ["abcdefghijklmnopqrstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ"],
];

/** What each lookalike passes for. */
export const CONFUSABLES: ReadonlyMap<string, string> = new Map(
  LOOKALIKES.flatMap(([latin, other]) => {
    const letters = [...latin];
    return [...other].map((letter, i) => [letter, letters[i]] as const);
  }),
);
