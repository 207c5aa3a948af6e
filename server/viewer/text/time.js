// @ts-check
/** Words of the charts, the timeline and the transport. */

/** @type {import("../people/text.js").Words} */
export const time = {
  en: {
    charts: "Charts",
    time: "Time",
    price_norm: "price (normalised)",
    volatility: "volatility",
    liquidity: "liquidity",
    imbalance: "imbalance",
    N: "agents",
    matches_n: "matches a tick",
    avg_exp: "mean experience",
  },
  zh: {
    charts: "图表",
    time: "时间",
    price_norm: "价格（归一化）",
    volatility: "波动率",
    liquidity: "流动性",
    imbalance: "不平衡度",
    N: "智能体数",
    matches_n: "每 tick 成交数",
    avg_exp: "平均经验",
  },
};
